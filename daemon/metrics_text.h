/* The exposition's lines: families, series, labels, histograms, in Prometheus's
 * text format or OpenMetrics. Private to metrics*.c. All on main. */
#ifndef AW_METRICS_TEXT_H
#define AW_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define AW_METRICS_SERIES_MAX 6

struct aw_metrics_page {
    FILE *to;
    bool openmetrics;
};

/* One series of a family: the value of its label, and where its number is. */
struct aw_metrics_series {
    const char *label_value;
    size_t offset;
};

struct aw_metrics_family {
    const char *name; /* without awaitd_, and a counter's without _total */
    const char *type; /* counter, gauge or histogram */
    const char *help;
    const char *label; /* NULL: one series */
    double scale;      /* 0: a plain count */
    struct aw_metrics_series series[AW_METRICS_SERIES_MAX];
};

/* Writes the labels that tell the thing at `base` from others of its kind. */
typedef void (*aw_metrics_labels)(FILE *to, const void *base);

/* A histogram: `counts` of ranges in order, each with its end in seconds, and
 * at last what has no end. */
struct aw_metrics_histogram {
    const char *label, *label_value; /* beside those of its base; or NULL */
    size_t count;
    double (*end_s)(size_t index); /* of the `index`-th but the last */
    const uint64_t *counts;
    double sum_s;
};

/* One label, escaped. */
void aw_metrics_put_label(FILE *to, const char *name, const char *value);

/* What a family begins with, once. */
void aw_metrics_put_head(const struct aw_metrics_page *page,
                         const struct aw_metrics_family *family);

/* The series of one thing, its numbers from `base` on. */
void aw_metrics_put_series(const struct aw_metrics_page *page,
                           const struct aw_metrics_family *family,
                           const void *base, aw_metrics_labels put_labels);

/* One histogram of a family of these. */
void aw_metrics_put_histogram(const struct aw_metrics_page *page,
                              const struct aw_metrics_family *family,
                              const struct aw_metrics_histogram *histogram,
                              const void *base, aw_metrics_labels put_labels);

#endif
