/* SPDX-License-Identifier: MIT */
/* A scope in C++ is a constructor and a destructor: it ends by return, break and exception alike. */
#include <iostream>
#include <spanalloc/spanalloc.h>
#include <stdexcept>
#include <string>
#include <vector>

static std::string join(const std::vector<std::string> &words) {
        SPANALLOC_SCOPE("join");
        std::string all;

        if (words.empty())
                throw std::runtime_error("nothing to say");
        for (const auto &word : words)
                all += word + ' ';
        return all;
}

int main() {
        SPANALLOC_SCOPE("hello");

        std::cout << join({"hello,", "heap,", "this", "is", "C++"}) << '\n';
        try {
                join({});
        } catch (const std::exception &error) {
                std::cout << error.what() << '\n';
        }
}
