/* SPDX-License-Identifier: MIT */
/*
 * Finished work answers the watchdog, never a timer alone.  While a process is attached, the work is a pass over all
 * processes, several a second: a daemon whose loop turns but whose passes do not end, or never begin, is replaced.
 * Without an attached process no pass is due and the daemon sleeps; it checks that twice in the watchdog's time.
 *
 * STATUS= is sent when its text changes, at most every few seconds.
 */
#include "daemon/spanallocd/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/spanallocd/notify.h"

#define STATUS_NS UINT64_C(5000000000)

struct service {
        struct reactor *reactor;
        struct collector *collector;
        struct reactor_timer *timer;
        uint64_t watchdog_ns; /* 0: there is no watchdog */
        uint64_t answered_ns;
        char status[128];
        uint64_t told_ns;
        int notify_fd; /* -1: there is no service manager */
        bool is_due;   /* the status has changed and was not sent yet */
};

static void set_timer(struct service *service) {
        uint64_t at = service->watchdog_ns ? service->answered_ns + service->watchdog_ns / 2 : 0;

        if (service->is_due && (!at || service->told_ns + STATUS_NS < at))
                at = service->told_ns + STATUS_NS;
        reactor_timer_set(service->timer, at);
}

static void answer(struct service *service, uint64_t now_ns) {
        if (!service->watchdog_ns)
                return;
        (void)notify_send(service->notify_fd, "WATCHDOG=1", -1);
        service->answered_ns = now_ns;
        set_timer(service);
}

/* Two digits are enough, and change less often. */
static void put_rate(char *buf, size_t size, double rate) {
        static const char *const units[] = {"", "k", "M", "G"};
        unsigned i = 0;

        while (rate >= 999.5 && i < 3) {
                rate /= 1000;
                i++;
        }
        snprintf(buf, size, "%.*f%s", i && rate < 9.95 ? 1 : 0, rate, units[i]);
}

static void tell_status(struct service *service, uint64_t now_ns) {
        struct collector_stats stats;
        char text[sizeof service->status], rate[32], message[sizeof text + 8];

        collector_stats(service->collector, &stats);
        put_rate(rate, sizeof rate, stats.records_rate);
        snprintf(text, sizeof text, "%llu process%s, %s records/s, %llu dropped", (unsigned long long)stats.processes,
                 stats.processes == 1 ? "" : "es", rate, (unsigned long long)stats.refused);
        service->is_due = strcmp(text, service->status) != 0;
        if (service->is_due && now_ns - service->told_ns >= STATUS_NS) {
                strcpy(service->status, text);
                snprintf(message, sizeof message, "STATUS=%s", text);
                (void)notify_send(service->notify_fd, message, -1);
                service->told_ns = now_ns;
                service->is_due = false;
        }
        set_timer(service);
}

static void on_work(void *userdata, enum collector_work work, uint64_t now_ns) {
        struct service *service = userdata;

        if (work == COLLECTOR_HOUSEKEEPING)
                tell_status(service, now_ns);
        else if (now_ns - service->answered_ns >= service->watchdog_ns / 4)
                answer(service, now_ns);
}

static void on_timer(void *userdata, uint64_t now_ns) {
        struct service *service = userdata;

        /* With a process attached the pass answers.  An answer here would only prove that a timer fired. */
        if (collector_is_empty(service->collector))
                answer(service, now_ns);
        if (service->is_due)
                tell_status(service, now_ns);
        if (service->watchdog_ns && now_ns - service->answered_ns >= service->watchdog_ns / 2)
                reactor_timer_set(service->timer, now_ns + service->watchdog_ns / 4);
}

int service_new(struct service **ret, struct reactor *reactor, struct collector *collector) {
        struct service *service;
        uint64_t watchdog_us = 0;
        int r;

        service = calloc(1, sizeof *service);
        if (!service)
                return -ENOMEM;
        service->reactor = reactor;
        service->collector = collector;
        r = reactor_timer(reactor, &service->timer, on_timer, service);
        if (r < 0) {
                free(service);
                return r;
        }
        *ret = service;
        service->notify_fd = notify_open();
        if (service->notify_fd < 0)
                return 0;
        if (sd_watchdog_enabled(0, &watchdog_us) > 0)
                service->watchdog_ns = watchdog_us * 1000;
        answer(service, reactor_now(reactor));
        collector_on_work(collector, on_work, service);
        tell_status(service, reactor_now(reactor));
        return 0;
}

struct service *service_free(struct service *service) {
        if (!service)
                return NULL;
        collector_on_work(service->collector, NULL, NULL);
        close_fd(service->notify_fd);
        reactor_timer_free(service->timer);
        free(service);
        return NULL;
}
