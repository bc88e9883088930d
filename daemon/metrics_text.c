#include "daemon/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/json_text.h"

void aw_metrics_put_label(FILE *to, const char *name, const char *value)
{
    json_t *text = aw_json_text(value);
    const char *letter = text ? json_string_value(text) : "";

    fprintf(to, "%s=\"", name);
    for (; *letter; letter++) {
        if (*letter == '\n')
            fputs("\\n", to);
        else if (*letter == '\\' || *letter == '"')
            fprintf(to, "\\%c", *letter);
        else
            fputc(*letter, to);
    }
    fputc('"', to);
    json_decref(text);
}

static bool is_counter(const struct aw_metrics_family *family)
{
    return !strcmp(family->type, "counter");
}

/* OpenMetrics names the family of a counter without _total. */
void aw_metrics_put_head(const struct aw_metrics_page *page,
                         const struct aw_metrics_family *family)
{
    const char *end = is_counter(family) && !page->openmetrics ? "_total" : "";

    fprintf(page->to, "# HELP awaitd_%s%s %s\n# TYPE awaitd_%s%s %s\n",
            family->name, end, family->help, family->name, end, family->type);
}

static void put_value(FILE *to, const struct aw_metrics_family *family,
                      uint64_t value)
{
    if (family->scale > 0)
        fprintf(to, "} %.9f\n", (double)value * family->scale);
    else
        fprintf(to, "} %" PRIu64 "\n", value);
}

void aw_metrics_put_series(const struct aw_metrics_page *page,
                           const struct aw_metrics_family *family,
                           const void *base, aw_metrics_labels put_labels)
{
    const char *total = is_counter(family) ? "_total" : "";

    for (size_t i = 0; i < AW_METRICS_SERIES_MAX; i++) {
        const struct aw_metrics_series *series = &family->series[i];
        uint64_t value;

        if (i > 0 && !series->label_value)
            break;
        fprintf(page->to, "awaitd_%s%s{", family->name, total);
        put_labels(page->to, base);
        if (family->label) {
            fputc(',', page->to);
            aw_metrics_put_label(page->to, family->label, series->label_value);
        }
        memcpy(&value, (const char *)base + series->offset, sizeof(value));
        put_value(page->to, family, value);
    }
}

/* NAME_SUFFIX{labels, without the closing brace */
static void begin_sample(const struct aw_metrics_page *page,
                         const struct aw_metrics_family *family,
                         const char *suffix,
                         const struct aw_metrics_histogram *histogram,
                         const void *base, aw_metrics_labels put_labels)
{
    fprintf(page->to, "awaitd_%s_%s{", family->name, suffix);
    put_labels(page->to, base);
    if (histogram->label) {
        fputc(',', page->to);
        aw_metrics_put_label(page->to, histogram->label,
                             histogram->label_value);
    }
}

void aw_metrics_put_histogram(const struct aw_metrics_page *page,
                              const struct aw_metrics_family *family,
                              const struct aw_metrics_histogram *histogram,
                              const void *base, aw_metrics_labels put_labels)
{
    uint64_t below = 0;

    for (size_t i = 0; i < histogram->count; i++) {
        below += histogram->counts[i];
        begin_sample(page, family, "bucket", histogram, base, put_labels);
        if (i + 1 < histogram->count)
            fprintf(page->to, ",le=\"%.9g\"} %" PRIu64 "\n",
                    histogram->end_s(i), below);
        else
            fprintf(page->to, ",le=\"+Inf\"} %" PRIu64 "\n", below);
    }
    begin_sample(page, family, "sum", histogram, base, put_labels);
    fprintf(page->to, "} %.9f\n", histogram->sum_s);
    begin_sample(page, family, "count", histogram, base, put_labels);
    fprintf(page->to, "} %" PRIu64 "\n", below);
}
