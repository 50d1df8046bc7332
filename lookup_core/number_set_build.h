/* Making the tables that number_set.h reads: from a buffer of packed numbers to rows and lines. */
#ifndef CALLSIEVE_NUMBER_SET_BUILD_H
#define CALLSIEVE_NUMBER_SET_BUILD_H

#include "number_set.h"

/* How full lines are made: fuller is smaller, but more lines overflow and cost a second look. A table
 * that fits the processor's cache pays little for that look. One that is asked beside another, a delta or
 * prefixes, is small and has room: there the processor foresees that no line is full. */
#define CS_FILL 0.82
#define CS_FILL_IN_CACHE 0.91
#define CS_FILL_BESIDE 0.50
#define CS_FILL_OVERFLOW 0.80
#define CS_FILL_LAST 0.25
#define CS_CACHE_NUMBERS UINT64_C(3000000)

#define CS_MIN_SEGMENT 256            /* fewer numbers of an interval go to the rest table */
#define CS_LAST_LEVEL (CS_LEVELS - 1) /* a table with room for all that is left */
#define CS_MAX_OVERFLOW 0.08          /* more than this is no chance but a bad seed: another one is tried */
#define CS_SEEDS 16

typedef struct {
    cs_row *rows;
    uint8_t *lines;
    uint64_t line_count, lines_room;
    uint64_t number_count;
    uint64_t seed;
    double fill; /* of an interval's first table */
    uint32_t row_count, rows_room;
    uint32_t digit_lengths;
} cs_built;

static inline void cs_built_free(cs_built *built) {
    free(built->rows);
    free(built->lines);
    memset(built, 0, sizeof *built);
}

/* ---- sorting ---- */

static inline void cs_insertion_sort(uint64_t *keys, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const uint64_t key = keys[i];
        size_t at = i;
        for (; at && keys[at - 1] > key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* Ascending, in place: by 8 bits at a time from bit shift + 7 down ("American flag sort": McIlroy,
 * Bostic, McIlroy 1993, "Engineering radix sort"). The bits above are the same in all keys. */
static void cs_radix_sort(uint64_t *keys, size_t count, unsigned shift) {
    if (count <= 32) {
        cs_insertion_sort(keys, count);
        return;
    }
    size_t ends[256] = {0}, heads[256];
    for (size_t i = 0; i < count; i++)
        ends[(keys[i] >> shift) & 255]++;
    size_t sum = 0;
    for (int digit = 0; digit < 256; digit++) {
        heads[digit] = sum;
        sum += ends[digit];
        ends[digit] = sum;
    }
    for (int digit = 0; digit < 256; digit++)
        while (heads[digit] < ends[digit]) {
            uint64_t key = keys[heads[digit]];
            for (int home = (int)((key >> shift) & 255); home != digit;
                 home = (int)((key >> shift) & 255)) {
                const uint64_t displaced = keys[heads[home]];
                keys[heads[home]++] = key;
                key = displaced;
            }
            keys[heads[digit]++] = key;
        }
    if (shift == 0)
        return;
    const unsigned next = shift > 8 ? shift - 8 : 0;
    for (int digit = 0; digit < 256; digit++) {
        const size_t start = digit ? ends[digit - 1] : 0;
        cs_radix_sort(keys + start, ends[digit] - start, next);
    }
}

static inline void cs_sort(uint64_t *keys, size_t count) {
    uint64_t differing = 0;
    int sorted = 1;
    for (size_t i = 1; i < count; i++) {
        differing |= keys[i] ^ keys[0];
        sorted &= keys[i - 1] <= keys[i];
    }
    if (sorted)
        return;
    const unsigned bits = cs_bit_length(differing);
    cs_radix_sort(keys, count, bits > 8 ? bits - 8 : 0);
}

/* Sorts in place and drops duplicates; how many are left. */
static inline size_t cs_sort_unique(uint64_t *keys, size_t count) {
    cs_sort(keys, count);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || keys[i] != keys[kept - 1])
            keys[kept++] = keys[i];
    return kept;
}

/* ---- one table ---- */

/* The narrowest slots whose lines, so full, hold `count` numbers of the interval. */
static inline void cs_choose(cs_row *row, uint64_t count, double fill) {
    const unsigned bits = cs_interval_bits(row->first, row->last);
    row->number_count = count;
    for (unsigned slot_bits = CS_MIN_SLOT_BITS;; slot_bits++) {
        const uint64_t slots = CS_LINE_BITS / slot_bits;
        uint64_t lines = (uint64_t)((double)count / ((double)slots * fill)) + 1;
        if (count <= slots)
            lines = 1;
        row->slot_bits = (uint16_t)slot_bits;
        row->line_count = lines;
        if (cs_bit_length(cs_values_per_line(bits, lines)) <= slot_bits)
            return; /* at the latest with CS_MAX_SLOT_BITS, for which bits is small enough */
    }
}

/* How many of the ascending mixed values find their line full. */
static inline uint64_t cs_count_overflow(const cs_table *table, const uint64_t *mixed, size_t count) {
    uint64_t overflow = 0, end = 0;
    unsigned used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || mixed[i] >= end) {
            end = mixed[i] - mixed[i] % table->per_line + table->per_line;
            used = 0;
        }
        overflow += used++ >= table->slots;
    }
    return overflow;
}

static inline void cs_put(const cs_table *table, uint8_t *line, unsigned slot, uint64_t remainder) {
    if (table->low_bits == 8) {
        line[slot] = (uint8_t)remainder;
    } else {
        line[2 * slot] = (uint8_t)remainder;
        line[2 * slot + 1] = (uint8_t)(remainder >> 8);
    }
    uint64_t high = remainder >> table->low_bits;
    unsigned bit = (unsigned)table->slots * table->low_bits + slot * table->high_bits;
    for (unsigned left = table->high_bits; left;) {
        const unsigned here = 8 - bit % 8 < left ? 8 - bit % 8 : left;
        const unsigned bits = (1u << here) - 1;
        uint8_t *byte = &line[bit / 8];
        *byte = (uint8_t)((*byte & ~(bits << bit % 8)) | ((unsigned)high & bits) << bit % 8);
        high >>= here;
        bit += here;
        left -= here;
    }
}

/* Puts pairs of slots in descending order for what finds a full line: see cs_line_has(). `kept` are the
 * values in the line; of the `left` values from `more` on those below the line's end are not. */
static inline void cs_mark_overflow(
    const cs_table *table, uint8_t *line, uint64_t start, const uint64_t *kept, const uint64_t *more,
    size_t left
) {
    for (; left && *more - start < table->per_line; more++, left--) {
        const unsigned slot = 2 * cs_pair_of(table, *more - start);
        cs_put(table, line, slot, kept[slot + 1] - start);
        cs_put(table, line, slot + 1, kept[slot] - start);
    }
}

/* Writes the lines; what finds its line full is moved to the front of `mixed`; how many those are. */
static inline size_t cs_fill(const cs_table *table, uint8_t *lines, uint64_t *mixed, size_t count) {
    uint8_t empty[CS_LINE_BYTES] = {0};
    for (unsigned slot = 0; slot < table->slots; slot++)
        cs_put(table, empty, slot, cs_empty_slot(table));
    size_t next = 0, left = 0;
    uint64_t end = 0;
    for (uint64_t i = 0; i < table->line_count; i++) {
        uint8_t *line = lines + CS_LINE_BYTES * i;
        memcpy(line, empty, CS_LINE_BYTES);
        const uint64_t start = end;
        end += table->per_line;
        const size_t first = next;
        for (unsigned slot = 0; next < count && mixed[next] < end; next++) {
            if (slot == table->slots) {
                cs_mark_overflow(table, line, start, &mixed[first], &mixed[next], count - next);
                break;
            }
            cs_put(table, line, slot++, mixed[next] - start);
        }
        for (; next < count && mixed[next] < end; next++)
            mixed[left++] = mixed[next];
    }
    return left;
}

/* ---- the set ---- */

static inline int cs_add_row(cs_built *built, const cs_row *row) {
    if (built->row_count == built->rows_room) {
        const uint32_t room = built->rows_room ? built->rows_room * 2 : 16;
        cs_row *rows = realloc(built->rows, room * sizeof *rows);
        if (!rows)
            return -1;
        built->rows = rows;
        built->rows_room = room;
    }
    if (built->line_count + row->line_count > built->lines_room) {
        /* An eighth for the overflow of a large table; many small ones share the doubling. */
        uint64_t room = built->line_count + row->line_count;
        room += room / 8 + (built->line_count < 1024 ? 64 : 0);
        uint8_t *lines = realloc(built->lines, room * CS_LINE_BYTES);
        if (!lines)
            return -1;
        built->lines = lines;
        built->lines_room = room;
    }
    built->rows[built->row_count++] = *row;
    return 0;
}

/* The numbers of one interval, ascending, as a table and those that take its overflow. The buffer is
 * worked on in place. 0, or -1 when there is no memory. */
static int cs_add_interval(cs_built *built, uint64_t *keys, size_t count, uint16_t role) {
    cs_row row = {.first = keys[0], .last = keys[count - 1], .role = role};
    for (int level = 0; count; level++) {
        double fill = level == 0 ? built->fill : level == 1 ? CS_FILL_OVERFLOW : CS_FILL_LAST;
        cs_table table;
        for (int attempt = 1;; attempt++) {
            cs_choose(&row, count, fill);
            row.seed = cs_random_bits(built->seed++);
            table = cs_make_table(&row, NULL);
            for (size_t i = 0; i < count; i++)
                keys[i] = cs_mix(&table, keys[i] - row.first);
            cs_sort(keys, count);
            const uint64_t overflow = cs_count_overflow(&table, keys, count);
            if (overflow == 0 || (level < CS_LAST_LEVEL &&
                                  ((double)overflow <= CS_MAX_OVERFLOW * (double)count ||
                                   attempt == CS_SEEDS)))
                break;
            if (level == CS_LAST_LEVEL)
                fill /= 2; /* once each line has a place for each of its values, nothing overflows */
            for (size_t i = 0; i < count; i++)
                keys[i] = row.first + cs_unmix(&table, keys[i]);
        }
        if (cs_add_row(built, &row) != 0)
            return -1;
        count = cs_fill(&table, built->lines + CS_LINE_BYTES * built->line_count, keys, count);
        built->rows[built->row_count - 1].number_count -= count;
        built->line_count += row.line_count;
        for (size_t i = 0; i < count; i++)
            keys[i] = row.first + cs_unmix(&table, keys[i]);
        row.role = CS_OVERFLOW;
    }
    return 0;
}

static inline unsigned cs_digits(uint64_t value) {
    unsigned digits = 0;
    for (; value; value /= 10)
        digits++;
    return digits;
}

/* How many digits the calling code at the start of an E.164 number has (ITU-T E.164, annex to
 * Operational Bulletin 1114). A code that is not in this table costs room and nothing else. */
static inline unsigned cs_calling_code_digits(unsigned two_digits) {
    static const uint8_t of_two_digits[] = {20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45,
                                            46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61,
                                            62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94,
                                            95, 98};
    if (two_digits / 10 == 1 || two_digits / 10 == 7)
        return 1;
    for (size_t i = 0; i < sizeof of_two_digits; i++)
        if (of_two_digits[i] == two_digits)
            return 2;
    return 3;
}

/* The last key that belongs with `key`: a country's numbers of one length, dialled numbers of one
 * length. (Dialled keys have 4 bits a character below bit 60: see packing.pxd.) */
static inline uint64_t cs_group_last(uint64_t key) {
    const uint64_t dialled = UINT64_C(1) << (CS_KEY_BITS - 1);
    if (key >= dialled) {
        const unsigned bits = (cs_bit_length(key - dialled) + 3) / 4 * 4;
        return dialled + ((UINT64_C(1) << bits) - 1);
    }
    const unsigned digits = cs_digits(key);
    uint64_t unit = 1;
    for (unsigned i = 2; i < digits; i++)
        unit *= 10; /* of the second digit */
    if (digits < 4)
        return 10 * unit * 10 - 1 > 999 ? 999 : 10 * unit * 10 - 1;
    const unsigned code_digits = cs_calling_code_digits((unsigned)(key / unit));
    for (unsigned i = 2; i < code_digits; i++)
        unit /= 10;
    if (code_digits == 1)
        unit *= 10;
    return key / unit * unit + unit - 1;
}

static inline size_t cs_first_above(const uint64_t *keys, size_t start, size_t count, uint64_t last) {
    size_t low = start, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (keys[middle] <= last)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The set of `keys`, which is sorted and worked on in place. beside: it is asked beside another set.
 * 0, or -1 when there is no memory: then, too, cs_built_free(). */
static inline int cs_build(
    cs_built *built, uint64_t *keys, size_t count, uint64_t seed, int beside
) {
    memset(built, 0, sizeof *built);
    built->seed = seed;
    count = cs_sort_unique(keys, count);
    built->number_count = count;
    built->fill = beside                       ? CS_FILL_BESIDE
                  : count <= CS_CACHE_NUMBERS ? CS_FILL_IN_CACHE
                                               : CS_FILL;
    for (size_t i = 0; i < count && keys[i] >> (CS_KEY_BITS - 1) == 0;) {
        const unsigned digits = cs_digits(keys[i]);
        uint64_t last = 9;
        for (unsigned more = 1; more < digits; more++)
            last = last * 10 + 9;
        built->digit_lengths |= 1u << digits;
        i = cs_first_above(keys, i, count, last);
    }
    size_t rest = 0;
    for (size_t start = 0; start < count;) {
        const size_t end = cs_first_above(keys, start, count, cs_group_last(keys[start]));
        if (end - start >= CS_MIN_SEGMENT) {
            if (cs_add_interval(built, keys + start, end - start, CS_SEGMENT) != 0)
                return -1;
        } else {
            memmove(keys + rest, keys + start, (end - start) * sizeof *keys);
            rest += end - start;
        }
        start = end;
    }
    return rest ? cs_add_interval(built, keys, rest, CS_REST) : 0;
}

#endif
