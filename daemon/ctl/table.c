#include "daemon/ctl/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/ctl/link.h"

struct aw_ctl_row *aw_ctl_table_add(struct aw_ctl_table *table)
{
    struct aw_ctl_row *row;

    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 16;
        table->rows = reallocarray(table->rows, table->capacity, sizeof(*row));
        if (!table->rows) {
            fputs("awaitctl: not enough memory\n", stderr);
            exit(AW_CTL_INTERNAL);
        }
    }
    row = &table->rows[table->count++];
    memset(row, 0, sizeof(*row));
    return row;
}

void aw_ctl_table_free(struct aw_ctl_table *table)
{
    free(table->rows);
}

static char harmless(char letter)
{
    return (unsigned char)letter < ' ' || letter == 0x7f ? '?' : letter;
}

void aw_ctl_cell(char cell[AW_CTL_CELL_MAX], const char *text)
{
    size_t i;

    for (i = 0; i < AW_CTL_CELL_MAX - 1 && text[i]; i++)
        cell[i] = harmless(text[i]);
    cell[i] = '\0';
}

void aw_ctl_cell_name(char cell[AW_CTL_CELL_MAX], const char *text, size_t room)
{
    aw_ctl_cell(cell, text[0] ? text : "-");
    if (strlen(cell) > room) {
        cell[room - 1] = '~';
        cell[room] = '\0';
    }
}

void aw_ctl_print_text(const char *text, FILE *to)
{
    for (; *text; text++)
        fputc(harmless(*text), to);
}

void aw_ctl_cell_count(char cell[AW_CTL_CELL_MAX], uint64_t count)
{
    static const char units[] = "kMGTPE";
    double value = (double)count;
    size_t unit = 0;

    if (count < 100000) {
        snprintf(cell, AW_CTL_CELL_MAX, "%" PRIu64, count);
        return;
    }
    for (value /= 1000; value >= 10000 && units[unit + 1]; unit++)
        value /= 1000;
    snprintf(cell, AW_CTL_CELL_MAX, value < 99.95 ? "%.1f%c" : "%.0f%c", value,
             units[unit]);
}

/* 80 by 24 where it does not say, 0 by 0 where it is none. */
static struct winsize size_of_terminal(void)
{
    struct winsize size = {0};

    if (isatty(STDOUT_FILENO) && (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ||
                                  size.ws_col == 0 || size.ws_row == 0))
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    return size;
}

int aw_ctl_width(void)
{
    return size_of_terminal().ws_col;
}

int aw_ctl_height(void)
{
    return size_of_terminal().ws_row;
}

/* Without the mark of its side. */
static const char *head_of(const char *head)
{
    return head + (head[0] == '<');
}

static void print_line(const struct aw_ctl_table *table, const int *widths,
                       const struct aw_ctl_row *row, int width, FILE *to)
{
    char line[AW_CTL_COLUMNS_MAX * (AW_CTL_CELL_MAX + 2) + 1];
    const char *gap = table->gap ? table->gap : "  ";
    int length = 0;

    for (size_t i = 0; table->heads[i]; i++) {
        const char *head = table->heads[i];
        const char *cell = row ? row->cells[i] : head_of(head);

        length += snprintf(line + length, sizeof(line) - (size_t)length,
                           "%s%*s", i > 0 ? gap : "",
                           head[0] == '<' ? -widths[i] : widths[i], cell);
    }
    while (length > 0 && line[length - 1] == ' ')
        length--;
    if (width > 0 && length > width)
        length = width;
    fprintf(to, "%.*s\n", length, line);
}

static void measure(const struct aw_ctl_table *table,
                    int ret_widths[AW_CTL_COLUMNS_MAX])
{
    for (size_t i = 0; table->heads[i]; i++) {
        ret_widths[i] = (int)strlen(head_of(table->heads[i]));
        for (size_t j = 0; j < table->count; j++) {
            int length = (int)strlen(table->rows[j].cells[i]);

            if (length > ret_widths[i])
                ret_widths[i] = length;
        }
    }
}

int aw_ctl_table_width(const struct aw_ctl_table *table)
{
    int widths[AW_CTL_COLUMNS_MAX], width = 0;
    int gap = table->gap ? (int)strlen(table->gap) : 2;

    measure(table, widths);
    for (size_t i = 0; table->heads[i]; i++)
        width += widths[i] + (i > 0 ? gap : 0);
    return width;
}

void aw_ctl_table_print(const struct aw_ctl_table *table, int width, FILE *to)
{
    int widths[AW_CTL_COLUMNS_MAX];

    measure(table, widths);
    print_line(table, widths, NULL, width, to);
    for (size_t j = 0; j < table->count; j++)
        print_line(table, widths, &table->rows[j], width, to);
}
