/* Lines of cells, as wide as they need to be, cut at the width of the screen.
 */
#ifndef AW_CTL_TABLE_H
#define AW_CTL_TABLE_H

#include <stdint.h>
#include <stdio.h>

#define AW_CTL_COLUMNS_MAX 17
#define AW_CTL_CELL_MAX    64

struct aw_ctl_row {
    char cells[AW_CTL_COLUMNS_MAX][AW_CTL_CELL_MAX];
};

struct aw_ctl_table {
    const char *const *heads; /* NULL at the end; "<" first: to the left */
    const char *gap;          /* between columns; NULL: two blanks */
    struct aw_ctl_row *rows;
    size_t count, capacity;
};

/* The next row, of empty cells; never NULL: without memory the program ends. */
struct aw_ctl_row *aw_ctl_table_add(struct aw_ctl_table *table);

/* How many columns of the screen it takes. */
int aw_ctl_table_width(const struct aw_ctl_table *table);

/* Writes the table, no line longer than `width`; 0: as long as it is. */
void aw_ctl_table_print(const struct aw_ctl_table *table, int width, FILE *to);

void aw_ctl_table_free(struct aw_ctl_table *table);

/* A cell of text: what would move a terminal's cursor becomes `?`. */
void aw_ctl_cell(char cell[AW_CTL_CELL_MAX], const char *text);

/* The same of at most `room` characters, with `~` where it was cut; `-` for
 * none. */
void aw_ctl_cell_name(char cell[AW_CTL_CELL_MAX], const char *text,
                      size_t room);

/* A cell of a count, at most five characters: 99999, 1234k, 56.7M. */
void aw_ctl_cell_count(char cell[AW_CTL_CELL_MAX], uint64_t count);

/* The width of the terminal that stdout is, 80 where it does not say, or 0 if
 * it is no terminal. */
int aw_ctl_width(void);

/* Its height, as the width. */
int aw_ctl_height(void);

/* Prints `text`, with `?` for control characters. */
void aw_ctl_print_text(const char *text, FILE *to);

#endif
