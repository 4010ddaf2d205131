/* SPDX-License-Identifier: MIT */
/*
 * See step.h.  docs/semantics.md in a few lines, for the calls of a script: a call has wholly happened or not at all.
 *
 * Attribution needs no intervals here: each count of a thread belongs to the frames on its stack at that moment.
 */
#include "tests/step/step.h"

#include <stdlib.h>

static struct model_counts *counts_of(struct model *model, uint32_t slot) {
        return &model->counts[model->spans[slot].name];
}

static void end_span(struct model *model, uint32_t slot) {
        counts_of(model, slot)->closed++;
        model->spans[slot].told = model->spans[slot].closing = false;
}

static void open_span(struct model *model, uint32_t slot) {
        if (model->spans[slot].told)
                return;
        model->spans[slot].told = true;
        counts_of(model, slot)->opened++;
}

static void push(struct model *model, uint32_t thread, uint32_t slot, bool refused) {
        struct model_thread *t = &model->threads[thread];

        t->frames[t->depth].slot = slot;
        t->frames[t->depth++].refused = refused;
        if (refused) {
                model->refused++;
                return;
        }
        open_span(model, slot);
        model->spans[slot].entered++;
}

/* `ends`: a scope is closed. */
static void take_out(struct model *model, uint32_t thread, uint32_t i, bool ends) {
        struct model_thread *t = &model->threads[thread];
        uint32_t slot = t->frames[i].slot;
        bool refused = t->frames[i].refused, is_closed = ends && model->spans[slot].scope;

        for (; i + 1 < t->depth; i++)
                t->frames[i] = t->frames[i + 1];
        t->depth--;
        if (refused) { /* a scope that was saved with its stack is known, if its next enter is not */
                if (is_closed && model->spans[slot].told)
                        end_span(model, slot);
                return;
        }
        counts_of(model, slot)->cycles++;
        model->spans[slot].entered--;
        if (is_closed || (model->spans[slot].closing && !model->spans[slot].entered))
                end_span(model, slot);
}

static int find(const struct model_thread *t, uint32_t slot) {
        for (int i = (int)t->depth - 1; i >= 0; i--)
                if (t->frames[i].slot == slot)
                        return i;
        return -1;
}

static void attend(struct model *model, uint32_t thread) {
        struct model_thread *t = &model->threads[thread];

        while (t->mark_count) {
                uint32_t slot = t->marks[--t->mark_count];
                int i = find(t, slot);

                if (i < 0)
                        abort();
                counts_of(model, slot)->migrated += !t->frames[i].refused;
                take_out(model, thread, (uint32_t)i, true);
        }
}

static void leave(struct model *model, uint32_t thread, uint32_t slot) {
        struct model_thread *t = &model->threads[thread];
        int i = find(t, slot);

        if (i < 0) { /* it is on another thread's stack, which hears of it at its next call */
                for (uint32_t k = 0; k < STEP_THREADS; k++)
                        if (find(&model->threads[k], slot) >= 0) {
                                model->threads[k].marks[model->threads[k].mark_count++] = slot;
                                return;
                        }
                abort();
        }
        for (uint32_t j = t->depth - 1; j > (uint32_t)i; j--)
                if (model->spans[t->frames[j].slot].scope)
                        take_out(model, thread, j, true);
        take_out(model, thread, (uint32_t)i, true);
}

static void switch_stack(struct model *model, uint32_t thread, const struct box *box) {
        struct model_stack *save = &model->stacks[box->slot], *take = &model->stacks[box->name];
        struct model_thread *t = &model->threads[thread];

        for (save->depth = 0; save->depth < t->depth; save->depth++)
                save->slots[save->depth] = t->frames[save->depth].slot;
        while (t->depth)
                take_out(model, thread, t->depth - 1, false);
        for (uint32_t i = 0; box->name && i < take->depth; i++)
                push(model, thread, take->slots[i], box->flags & STEP_REFUSED);
        take->depth = 0;
}

/* The thread is dead: marks are ended cycles, the rest is cut off. */
static void cut_off(struct model *model, uint32_t thread) {
        struct model_thread *t = &model->threads[thread];

        attend(model, thread);
        while (t->depth) {
                uint32_t slot = t->frames[--t->depth].slot;
                struct model_span *span = &model->spans[slot];

                if (t->frames[t->depth].refused)
                        continue;
                span->entered--;
                if (span->scope) {
                        span->told = false;
                        counts_of(model, slot)->aborted++;
                } else if (span->closing && !span->entered) {
                        end_span(model, slot);
                }
        }
}

void model_apply(struct model *model, uint32_t thread, const struct box *box) {
        struct model_span *span = &model->spans[box->slot];
        bool refused = box->flags & STEP_REFUSED;

        if (box->op > OP_CLAIM && box->op != OP_THREAD_ENDS)
                attend(model, thread);
        switch ((enum step_op)box->op) {
        case OP_OPEN:
        case OP_BEGIN:
                *span = (struct model_span){.name = box->name, .scope = box->op == OP_BEGIN};
                if (span->scope)
                        push(model, thread, box->slot, refused);
                else if (refused)
                        model->refused++;
                else
                        open_span(model, box->slot);
                break;
        case OP_ENTER:
                push(model, thread, box->slot, refused);
                break;
        case OP_EXIT:
        case OP_END:
                leave(model, thread, box->slot);
                break;
        case OP_CLOSE:
                if (span->entered)
                        span->closing = true;
                else
                        end_span(model, box->slot);
                break;
        case OP_SWITCH:
                switch_stack(model, thread, box);
                break;
        case OP_SPIN:
                counts_of(model, box->slot)->cycles += box->turns;
                break;
        case OP_THREAD_ENDS:
                cut_off(model, thread);
                break;
        case OP_WORK:
        case OP_CLAIM:
        case OP_CURRENT:
        case OPS:
                break;
        }
}

void model_end(struct model *model) {
        for (uint32_t t = 0; t < STEP_THREADS; t++)
                cut_off(model, t);
        for (uint32_t name = 0; name < STEP_NAMES; name++)
                model->counts[name].aborted = model->counts[name].opened - model->counts[name].closed;
}

void model_count(const struct model *model, uint32_t thread, struct truth *truth, int c, uint64_t by) {
        const struct model_thread *t = &model->threads[thread];
        bool seen[STEP_NAMES] = {false};

        if (!t->depth)
                truth->outside[c] += by;
        else if (t->frames[t->depth - 1].refused)
                truth->lost[c] += by;
        else
                truth->self[model->spans[t->frames[t->depth - 1].slot].name][c] += by;
        /* However often a name is on the stack, its total takes it once. */
        for (uint32_t i = 0; i < t->depth; i++)
                if (!t->frames[i].refused)
                        seen[model->spans[t->frames[i].slot].name] = true;
        for (uint32_t name = 0; name < STEP_NAMES; name++)
                if (seen[name])
                        truth->total[name][c] += by;
}
