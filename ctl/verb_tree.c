/*
 * tree: the causal tree of each process.
 */
#include "ctl/ask.h"
#include "ctl/pager.h"
#include "ctl/render_tree.h"

static int show_tree(struct ctl *ctl, const struct table *tree) {
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        r = render_tree(&ctl->options, tree, pager.stream);
        if (!tree->row_count && !ctl->options.no_legend)
                fputs("No span to show; see \"spanallocctl ps\".\n", pager.stream);
        if (r == 0)
                r = pager_show(&pager, &ctl->options);
        return ask_printed(r);
}

int verb_tree(struct ctl *ctl, int argc, char **argv) {
        struct client_params params = ask_params(&ctl->options);
        struct table *tree = NULL;
        int r = ask_table(ctl, "tree", &params, &tree);

        if (r != CTL_OK)
                return r;
        if (!tree->row_count)
                r = ask_pid_known(ctl);
        if (r == CTL_OK)
                r = ctl->options.json ? ask_print_json(ctl, "tree", tree) : show_tree(ctl, tree);
        table_free(tree);
        return r;
}
