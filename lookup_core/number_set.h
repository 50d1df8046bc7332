/* An exact set of packed numbers in one cache line a lookup: reading it. docs/lookup-core.md explains it.
 *
 * A table holds numbers of one interval of keys. An invertible mix scatters the interval over
 * 2^bits values; the line index is the high part of the mixed value, so a slot keeps only the rest
 * of it (quotienting). A line is 64 bytes: the low 8 or 16 bits of all slots side by side, for one
 * SIMD comparison, then the remaining bits of each slot, packed. What finds its line full is in the
 * next table, which is looked at only then.
 *
 * Everything here reads a mapped file that may have been altered on purpose. cs_set_open() checks
 * the rows of the tables; after it no lookup reads outside the lines, whatever they hold.
 */
#ifndef CALLSIEVE_NUMBER_SET_H
#define CALLSIEVE_NUMBER_SET_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define CS_LINE_BYTES 64
#define CS_LINE_BITS 512
#define CS_KEY_BITS 61 /* packed keys are below 2^61; see packing.pxd */
#define CS_MIN_BITS 8
#define CS_MIN_SLOT_BITS 8
#define CS_MAX_SLOT_BITS 62
#define CS_STRUCTURE_HEAD_BYTES 16
#define CS_ROW_BYTES 48
#define CS_LEVELS 3 /* tables of an interval, and so the most lines that a lookup reads */
#define CS_MOST_GUESS_BITS 10
#define CS_FEW_STEPS 2
#define CS_MOST_STEPS 4
#define CS_AHEAD 32 /* lines that are on their way from memory at once */

__extension__ typedef unsigned __int128 cs_u128;

enum { CS_SEGMENT = 0, CS_OVERFLOW = 1, CS_REST = 2 };

/* A row of the structure, as it stands in the file. */
typedef struct {
    uint64_t first, last; /* the interval of keys */
    uint64_t seed;        /* of the mix */
    uint64_t line_count;
    uint64_t number_count;
    uint16_t slot_bits;
    uint16_t role; /* CS_SEGMENT: an interval's first table; CS_OVERFLOW: what the table before
                      has no room for; CS_REST: keys in no segment's interval */
    uint32_t reserved;
} cs_row;

_Static_assert(sizeof(cs_row) == CS_ROW_BYTES, "a row is written as it stands");

/* A table that can be asked. What a lookup needs comes first: two cache lines. */
typedef struct {
    uint64_t first, span; /* key - first <= span */
    uint64_t mask;        /* 2^bits - 1 */
    uint64_t multiplier[2];
    uint64_t magic; /* x / per_line == (x * magic) >> magic_shift for x <= mask */
    uint64_t per_line;
    const uint8_t *lines;
    uint64_t slot_mask; /* a bit for each slot */
    uint64_t high_mask;
    uint8_t magic_shift, fold;
    uint8_t slots, low_bits, high_bits;
    uint8_t has_overflow; /* the next table holds what had no room here */
    uint64_t inverse[2];
    uint64_t line_count;
} cs_table;

typedef struct {
    cs_table *tables;
    uint64_t *firsts;       /* of the segments, ascending; one more at the end, above every key */
    const cs_table **heads; /* the first table of each segment */
    uint16_t *guesses;      /* see cs_segment_of(); NULL: search */
    unsigned guess_bits, steps;
    const cs_table *rest;   /* NULL when every number is in a segment */
    uint64_t *slot_starts;  /* slots of the tables before; one more at the end */
    uint64_t number_count;
    uint32_t segment_count;
    uint32_t table_count;
    uint32_t digit_lengths; /* bit n: there are keys of n decimal digits */
} cs_set;

/* Which field of a structure is wrong; row is -1 for the head. */
typedef struct {
    const char *field;
    long row;
    uint64_t least, most; /* what was expected */
    uint64_t found;
} cs_problem;

/* ---- the mix ---- */

static inline uint64_t cs_random_bits(uint64_t seed) {
    /* splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators") */
    seed += UINT64_C(0x9E3779B97F4A7C15);
    seed = (seed ^ (seed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    seed = (seed ^ (seed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return seed ^ (seed >> 31);
}

static inline uint64_t cs_modular_inverse(uint64_t odd) {
    uint64_t inverse = odd; /* right in the lowest 3 bits; each step doubles that */
    for (int i = 0; i < 5; i++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

static inline uint64_t cs_mix(const cs_table *table, uint64_t offset) {
    uint64_t x = (offset * table->multiplier[0]) & table->mask;
    x ^= x >> table->fold; /* its own inverse: fold is at least half of the bits */
    return (x * table->multiplier[1]) & table->mask;
}

static inline uint64_t cs_unmix(const cs_table *table, uint64_t x) {
    x = (x * table->inverse[1]) & table->mask;
    x ^= x >> table->fold;
    return (x * table->inverse[0]) & table->mask;
}

/* ---- a line ---- */

/* Bit i: byte i of the line is `low`. */
static inline uint64_t cs_equal_bytes(const uint8_t *line, uint8_t low) {
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi8((char)low);
    uint64_t found = 0;
    for (int i = 0; i < 4; i++) {
        const __m128i here = _mm_load_si128((const __m128i *)(const void *)(line + 16 * i));
        found |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(here, wanted)) << (16 * i);
    }
    return found;
#elif defined(__aarch64__) && defined(__ARM_NEON)
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t wanted = vdupq_n_u8(low), weight = vld1q_u8(weights);
    const uint8x16_t a = vandq_u8(vceqq_u8(vld1q_u8(line), wanted), weight);
    const uint8x16_t b = vandq_u8(vceqq_u8(vld1q_u8(line + 16), wanted), weight);
    const uint8x16_t c = vandq_u8(vceqq_u8(vld1q_u8(line + 32), wanted), weight);
    const uint8x16_t d = vandq_u8(vceqq_u8(vld1q_u8(line + 48), wanted), weight);
    const uint8x16_t sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
#else
    uint64_t found = 0;
    for (int i = 0; i < CS_LINE_BYTES; i++)
        found |= (uint64_t)(line[i] == low) << i;
    return found;
#endif
}

/* Bit i: the 16-bit word i of the line is `low`. */
static inline uint64_t cs_equal_words(const uint8_t *line, uint16_t low) {
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi16((short)low);
    __m128i equal[4];
    for (int i = 0; i < 4; i++) {
        const __m128i here = _mm_load_si128((const __m128i *)(const void *)(line + 16 * i));
        equal[i] = _mm_cmpeq_epi16(here, wanted);
    }
    const unsigned lower = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal[0], equal[1]));
    const unsigned upper = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal[2], equal[3]));
    return lower | (uint64_t)upper << 16;
#else
    uint64_t found = 0;
    for (int i = 0; i < CS_LINE_BYTES / 2; i++) {
        const uint16_t here = (uint16_t)(line[2 * i] | line[2 * i + 1] << 8);
        found |= (uint64_t)(here == low) << i;
    }
    return found;
#endif
}

static inline uint64_t cs_slot_low(const cs_table *table, const uint8_t *line, unsigned slot) {
    if (table->low_bits == 8)
        return line[slot];
    return line[2 * slot] | (uint64_t)line[2 * slot + 1] << 8;
}

static inline uint64_t cs_slot_high(const cs_table *table, const uint8_t *line, unsigned slot) {
    const unsigned bit = (unsigned)table->slots * table->low_bits + slot * table->high_bits;
    /* The last 8 bytes at most: nothing behind the line is read. */
    const unsigned byte = bit / 8 < CS_LINE_BYTES - 8 ? bit / 8 : CS_LINE_BYTES - 8;
    uint64_t word;
    memcpy(&word, line + byte, 8);
    return (word >> (bit - 8 * byte)) & table->high_mask;
}

static inline uint64_t cs_slot(const cs_table *table, const uint8_t *line, unsigned slot) {
    const uint64_t low = cs_slot_low(table, line, slot);
    return table->high_bits ? low | cs_slot_high(table, line, slot) << table->low_bits : low;
}

/* Of the pairs of slots, the one whose order in a full line answers for the remainder. */
static inline unsigned cs_pair_of(const cs_table *table, uint64_t remainder) {
    return (unsigned)(remainder & 255) * (table->slots / 2u) >> 8;
}

static inline uint64_t cs_empty_slot(const cs_table *table) {
    return (UINT64_C(1) << (table->low_bits + table->high_bits)) - 1;
}

/* ---- a lookup ---- */

typedef struct {
    const uint8_t *line;
    uint64_t remainder;
} cs_place;

static inline cs_place cs_place_of(const cs_table *table, uint64_t key) {
    const uint64_t x = cs_mix(table, key - table->first);
    const uint64_t line = (uint64_t)(((cs_u128)x * table->magic) >> table->magic_shift);
    return (cs_place){table->lines + CS_LINE_BYTES * line, x - line * table->per_line};
}

/* A pair of slots in descending order says that a number of that pair found the line full. */
static inline int cs_full_line_overflowed(const cs_table *table, cs_place place) {
    const unsigned pair = cs_pair_of(table, place.remainder);
    return cs_slot(table, place.line, 2 * pair) >= cs_slot(table, place.line, 2 * pair + 1);
}

/* 1: the line has it. 0: no table has it. -1: the line had no room for all, so the next table may. */
static inline int cs_line_has(const cs_table *table, cs_place place) {
    uint64_t found;
    if (table->low_bits == 8)
        found = cs_equal_bytes(place.line, (uint8_t)place.remainder);
    else
        found = cs_equal_words(place.line, (uint16_t)place.remainder);
    found &= table->slot_mask;
    if (table->high_bits == 0) {
        if (found)
            return 1;
    } else {
        const uint64_t high = place.remainder >> table->low_bits;
        for (; found; found &= found - 1)
            if (cs_slot_high(table, place.line, (unsigned)__builtin_ctzll(found)) == high)
                return 1;
    }
    if (!table->has_overflow || cs_slot(table, place.line, table->slots - 1) == cs_empty_slot(table))
        return 0;
    return cs_full_line_overflowed(table, place) ? -1 : 0;
}

/* The same where the line has been fetched already: without a branch on whether it has it, which
 * nobody can foresee. Of 16 bits that are compared at once it is seldom that two slots are alike. */
static inline int cs_fetched_line_has(const cs_table *table, cs_place place) {
    if (table->low_bits == 8)
        return cs_line_has(table, place);
    const unsigned last = table->slots - 1u;
    const uint64_t found = cs_equal_words(place.line, (uint16_t)place.remainder) & table->slot_mask;
    if (found & (found - 1))
        return cs_line_has(table, place);
    uint64_t has = found != 0;
    if (table->high_bits) {
        const unsigned slot = (unsigned)__builtin_ctzll(found | UINT64_C(1) << last);
        has &= cs_slot_high(table, place.line, slot) == place.remainder >> 16;
    }
    if ((has ^ 1) & table->has_overflow & (cs_slot(table, place.line, last) != cs_empty_slot(table)))
        return cs_full_line_overflowed(table, place) ? -1 : 0;
    return (int)has;
}

static inline int cs_next_tables_have(const cs_table *table, uint64_t key) {
    do {
        table++;
        if (key - table->first > table->span)
            return 0;
        const int answer = cs_line_has(table, cs_place_of(table, key));
        if (answer >= 0)
            return answer;
    } while (1); /* a line is only -1 where there is a next table */
}

/* The key's highest set bit and so many bits behind it: it grows with the key, and is small. */
static inline unsigned cs_magnitude(uint64_t key, unsigned bits) {
    const unsigned shift = 63 - bits - (unsigned)__builtin_clzll(key | UINT64_C(1) << bits);
    return (shift << bits) + (unsigned)(key >> shift);
}

/* The last segment that begins at the key or before it, else the first.
 *
 * Where keys of the same magnitude are in few segments, `guesses` has the first of those and the
 * rest takes `steps` comparisons. A search would take longer than anything else before the line can
 * be fetched: each of its steps waits for the one before. */
static inline uint32_t cs_segment_of(const cs_set *set, uint64_t key) {
    uint32_t segment = 0;
    if (set->guesses) {
        segment = set->guesses[cs_magnitude(key, set->guess_bits)];
        for (unsigned step = 0; step < set->steps; step++)
            segment += set->firsts[segment + 1] <= key;
        return segment;
    }
    for (uint32_t count = set->segment_count; count > 1;) {
        const uint32_t half = count / 2;
        segment = set->firsts[segment + half] <= key ? segment + half : segment;
        count -= half;
    }
    return segment;
}

/* The first table that may have the key, or NULL. */
static inline const cs_table *cs_table_of(const cs_set *set, uint64_t key) {
    if (key >> CS_KEY_BITS)
        return NULL; /* it is no key, and has no magnitude */
    if (set->segment_count) {
        const cs_table *table = set->heads[cs_segment_of(set, key)];
        if (key - table->first <= table->span)
            return table;
    }
    if (set->rest && key - set->rest->first <= set->rest->span)
        return set->rest;
    return NULL;
}

static inline int cs_set_has(const cs_set *set, uint64_t key) {
    const cs_table *table = cs_table_of(set, key);
    if (!table)
        return 0;
    const int answer = cs_line_has(table, cs_place_of(table, key));
    return answer >= 0 ? answer : cs_next_tables_have(table, key);
}

/* answers[i]: 1 when keys[i] is in exactly one of the sets, else 0; without `changed` (NULL), when it
 * is in `set`. Each line of `set` is fetched CS_AHEAD keys before it is looked at; `changed` is small
 * and asked meanwhile. */
static inline void cs_set_has_many(
    const cs_set *set, const cs_set *changed, const uint64_t *keys, size_t count, uint8_t *answers
) {
    const cs_table *tables[CS_AHEAD];
    cs_place places[CS_AHEAD];
    for (size_t i = 0; i < count + CS_AHEAD; i++) {
        const size_t turn = i % CS_AHEAD;
        if (i >= CS_AHEAD) {
            const size_t asked = i - CS_AHEAD;
            int answer = tables[turn] ? cs_fetched_line_has(tables[turn], places[turn]) : 0;
            if (answer < 0)
                answer = cs_next_tables_have(tables[turn], keys[asked]);
            answers[asked] ^= (uint8_t)answer;
        }
        if (i < count) {
            tables[turn] = cs_table_of(set, keys[i]);
            if (tables[turn]) {
                places[turn] = cs_place_of(tables[turn], keys[i]);
                __builtin_prefetch(places[turn].line);
            }
            answers[i] = (uint8_t)(changed && cs_set_has(changed, keys[i]));
        }
    }
}

/* ---- all that is in it ---- */

static inline uint64_t cs_set_slots(const cs_set *set) {
    return set->slot_starts[set->table_count];
}

/* What is in one of the cs_set_slots(): 1 and its key, 0 for an empty slot, -1 when it holds what no
 * writer puts there. */
static inline int cs_set_slot(const cs_set *set, uint64_t index, uint64_t *key) {
    uint32_t low = 0, count = set->table_count;
    while (count > 1) {
        const uint32_t half = count / 2;
        low += set->slot_starts[low + half] <= index ? half : 0;
        count -= half;
    }
    const cs_table *table = &set->tables[low];
    const uint64_t line = (index - set->slot_starts[low]) / table->slots;
    const unsigned slot = (unsigned)((index - set->slot_starts[low]) % table->slots);
    const uint64_t remainder = cs_slot(table, table->lines + CS_LINE_BYTES * line, slot);
    if (remainder == cs_empty_slot(table))
        return 0;
    const uint64_t x = line * table->per_line + remainder;
    if (remainder >= table->per_line || x > table->mask)
        return -1;
    const uint64_t offset = cs_unmix(table, x);
    *key = table->first + offset;
    return offset <= table->span ? 1 : -1;
}

/* ---- opening ---- */

static inline unsigned cs_bit_length(uint64_t value) {
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

/* How many bits the mix of an interval works on. */
static inline unsigned cs_interval_bits(uint64_t first, uint64_t last) {
    const unsigned bits = cs_bit_length(last - first);
    return bits < CS_MIN_BITS ? CS_MIN_BITS : bits;
}

/* How many mixed values share a line: the remainders of a line are below it. */
static inline uint64_t cs_values_per_line(unsigned bits, uint64_t line_count) {
    return ((UINT64_C(1) << bits) - 1) / line_count + 1;
}

/* A table from its row; the row has been checked, or was made by the builder. */
static inline cs_table cs_make_table(const cs_row *row, const uint8_t *lines) {
    const unsigned bits = cs_interval_bits(row->first, row->last);
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    const uint64_t per_line = cs_values_per_line(bits, row->line_count);
    const unsigned low_bits = row->slot_bits < 16 ? 8 : 16;
    const unsigned high_bits = row->slot_bits - low_bits;
    const unsigned slots = CS_LINE_BITS / row->slot_bits;
    cs_table table = {
        .first = row->first,
        .span = row->last - row->first,
        .mask = mask,
        .per_line = per_line,
        .line_count = row->line_count,
        .slot_mask = slots == 64 ? UINT64_MAX : (UINT64_C(1) << slots) - 1,
        .high_mask = (UINT64_C(1) << high_bits) - 1,
        .lines = lines,
        .magic_shift = (uint8_t)(bits + cs_bit_length(per_line - 1)),
        .fold = (uint8_t)((bits + 1) / 2),
        .slots = (uint8_t)slots,
        .low_bits = (uint8_t)low_bits,
        .high_bits = (uint8_t)high_bits,
    };
    /* Granlund and Montgomery 1994, "Division by invariant integers using multiplication": exact,
     * because magic * per_line exceeds 2^magic_shift by less than 2^(magic_shift - bits). */
    table.magic = (uint64_t)((((cs_u128)1 << table.magic_shift) + per_line - 1) / per_line);
    for (unsigned i = 0; i < 2; i++) {
        table.multiplier[i] = cs_random_bits(row->seed + i) | 1;
        table.inverse[i] = cs_modular_inverse(table.multiplier[i]);
    }
    return table;
}

static inline void cs_set_close(cs_set *set) {
    free(set->tables);
    free(set->firsts);
    free(set->heads);
    free(set->guesses);
    free(set->slot_starts);
    memset(set, 0, sizeof *set);
}

static inline int cs_wrong(
    cs_problem *problem, const char *field, long row, uint64_t least, uint64_t most, uint64_t found
) {
    if (least <= found && found <= most)
        return 0;
    *problem = (cs_problem){field, row, least, most, found};
    return 1;
}

static inline int cs_check_rows(
    cs_set *set, const uint8_t *rows, const uint8_t *lines, uint64_t lines_left, cs_problem *problem
) {
    const uint64_t max_key = (UINT64_C(1) << CS_KEY_BITS) - 1;
    uint64_t numbers = 0, free_from = 0;
    int after_rest = 0, level = CS_LEVELS; /* of the table before; none can be behind the last */
    for (uint32_t i = 0; i < set->table_count; i++) {
        cs_row row;
        memcpy(&row, rows + (size_t)i * CS_ROW_BYTES, sizeof row);
        const uint64_t least_role = after_rest ? CS_OVERFLOW : CS_SEGMENT;
        const uint64_t most_role = after_rest ? CS_OVERFLOW : CS_REST;
        if (cs_wrong(problem, "role", i, least_role, most_role, row.role) ||
            (level == CS_LEVELS && row.role == CS_OVERFLOW &&
             cs_wrong(problem, "role", i, CS_SEGMENT, CS_SEGMENT, row.role)) ||
            cs_wrong(problem, "first", i, row.role == CS_SEGMENT ? free_from : 0, max_key,
                     row.first) ||
            cs_wrong(problem, "last", i, row.first, max_key, row.last) ||
            cs_wrong(problem, "slot_bits", i, CS_MIN_SLOT_BITS, CS_MAX_SLOT_BITS, row.slot_bits) ||
            cs_wrong(problem, "line_count", i, 1, lines_left, row.line_count))
            return 1;
        const uint64_t slots = CS_LINE_BITS / row.slot_bits;
        const uint64_t per_line =
            cs_values_per_line(cs_interval_bits(row.first, row.last), row.line_count);
        /* All bits of a slot set mean that it is empty. */
        if (cs_wrong(problem, "slot_bits", i, cs_bit_length(per_line), CS_MAX_SLOT_BITS,
                     row.slot_bits) ||
            cs_wrong(problem, "number_count", i, 1, row.line_count * slots, row.number_count) ||
            cs_wrong(problem, "reserved", i, 0, 0, row.reserved))
            return 1;
        set->tables[i] = cs_make_table(&row, lines);
        set->slot_starts[i + 1] = set->slot_starts[i] + row.line_count * slots;
        level = row.role == CS_OVERFLOW ? level + 1 : 1;
        if (row.role == CS_OVERFLOW) {
            set->tables[i - 1].has_overflow = 1;
        } else if (row.role == CS_REST) {
            set->rest = &set->tables[i];
            after_rest = 1;
        } else {
            set->firsts[set->segment_count] = row.first;
            set->heads[set->segment_count++] = &set->tables[i];
            free_from = row.last + 1;
        }
        lines += row.line_count * CS_LINE_BYTES;
        lines_left -= row.line_count;
        numbers += row.number_count;
    }
    return cs_wrong(problem, "number_count", -1, numbers, numbers, set->number_count) ||
           cs_wrong(problem, "lines", -1, 0, 0, lines_left);
}

/* Writes the guesses of keys by `bits` bits; how many steps they leave. */
static inline unsigned cs_write_guesses(const cs_set *set, uint16_t *guesses, unsigned bits) {
    const uint32_t count = set->segment_count;
    const uint32_t magnitudes = cs_magnitude((UINT64_C(1) << CS_KEY_BITS) - 1, bits) + 1;
    uint32_t magnitude = 0;
    unsigned steps = 0;
    for (uint32_t segment = 0; segment < count; segment++) {
        /* Smaller keys of the magnitude that this segment begins in are before it. */
        const uint32_t own = cs_magnitude(set->firsts[segment], bits);
        while (magnitude <= own)
            guesses[magnitude++] = (uint16_t)(segment ? segment - 1 : 0);
        if (segment - guesses[own] > steps)
            steps = segment - guesses[own];
    }
    while (magnitude < magnitudes)
        guesses[magnitude++] = (uint16_t)(count - 1);
    return steps;
}

/* Makes `guesses` where they spare a search, as short as will do. 0: done. -1: no memory. */
static inline int cs_guess_segments(cs_set *set) {
    set->firsts[set->segment_count] = UINT64_MAX;
    if (set->segment_count < 3 || set->segment_count > UINT16_MAX)
        return 0;
    for (unsigned bits = 6; bits <= CS_MOST_GUESS_BITS; bits += 2) {
        uint16_t *guesses = malloc((size_t)(CS_KEY_BITS - bits + 1) * sizeof *guesses << bits);
        if (!guesses)
            return -1;
        const unsigned steps = cs_write_guesses(set, guesses, bits);
        if (steps <= (bits < CS_MOST_GUESS_BITS ? CS_FEW_STEPS : CS_MOST_STEPS)) {
            set->guesses = guesses;
            set->guess_bits = bits;
            set->steps = steps;
            return 0;
        }
        free(guesses);
    }
    return 0;
}

/* 0: the set can be asked, until cs_set_close(). 1: *problem says what is wrong with the structure.
 * -1: no memory. `lines` starts at a multiple of 64 and has line_bytes bytes, a multiple of 64. */
static inline int cs_set_open(
    cs_set *set, const uint8_t *structure, uint64_t structure_bytes, const uint8_t *lines,
    uint64_t line_bytes, cs_problem *problem
) {
    memset(set, 0, sizeof *set);
    if (cs_wrong(problem, "length", -1, CS_STRUCTURE_HEAD_BYTES, UINT64_MAX, structure_bytes))
        return 1;
    memcpy(&set->number_count, structure, 8);
    memcpy(&set->table_count, structure + 8, 4);
    memcpy(&set->digit_lengths, structure + 12, 4);
    const uint64_t expected = CS_STRUCTURE_HEAD_BYTES + (uint64_t)set->table_count * CS_ROW_BYTES;
    if (cs_wrong(problem, "length", -1, expected, expected, structure_bytes) ||
        cs_wrong(problem, "digit_lengths", -1, 0, UINT16_MAX, set->digit_lengths))
        return 1;
    const size_t tables = set->table_count ? set->table_count : 1;
    set->tables = malloc(tables * sizeof *set->tables);
    set->firsts = malloc((tables + 1) * sizeof *set->firsts);
    set->heads = malloc(tables * sizeof *set->heads);
    set->slot_starts = calloc(tables + 1, sizeof *set->slot_starts);
    int result = -1;
    if (set->tables && set->firsts && set->heads && set->slot_starts)
        result = cs_check_rows(set, structure + CS_STRUCTURE_HEAD_BYTES, lines,
                               line_bytes / CS_LINE_BYTES, problem);
    if (result == 0)
        result = cs_guess_segments(set);
    if (result != 0)
        cs_set_close(set);
    return result;
}

#endif
