/* libFuzzer over lookup_core/number_set.h: `make fuzz-core`.
 *
 * The first byte chooses: a file's bytes, as they are or with sums that fit, so that more of the
 * mutations get past the checks; or numbers to build a set of. Everything is in heap blocks of the
 * exact size, so that AddressSanitizer sees a read of one byte too many.
 */
#include "lookup_core/number_set_build.h"

#define MOST_SLOTS 4096
#define MOST_KEYS 4096

static void require(int good) {
    if (!good)
        abort();
}

static void *copy(const void *data, size_t size) {
    void *block;
    if (posix_memalign(&block, CS_LINE_BYTES, size) != 0)
        abort();
    if (size)
        memcpy(block, data, size);
    return block;
}

/* The same answers one at a time and in batches; 1 or 0 and nothing else. */
static void ask(const cs_set *set, const uint64_t *keys, size_t count) {
    uint8_t *answers = malloc(count + 1);
    if (!answers)
        abort();
    cs_set_has_many(set, NULL, keys, count, answers);
    for (size_t i = 0; i < count; i++)
        require(answers[i] <= 1 && answers[i] == cs_set_has(set, keys[i]));
    cs_set_has_many(set, set, keys, count, answers);
    for (size_t i = 0; i < count; i++)
        require(answers[i] == 0); /* what is changed in the set is as good as the set */
    free(answers);
}

static void ask_around_slots(const cs_set *set) {
    const uint64_t slots = cs_set_slots(set);
    const uint64_t step = slots / MOST_SLOTS + 1;
    for (uint64_t i = 0; i < slots; i += step) {
        uint64_t key = 0;
        const int found = cs_set_slot(set, i, &key);
        require(-1 <= found && found <= 1);
        if (found == 1) {
            require(key >> CS_KEY_BITS == 0);
            const uint64_t around[] = {key - 1, key, key + 1, ~key};
            ask(set, around, 4);
        }
    }
}

/* Sums and lengths as the rows have them. */
static void fit(uint8_t *structure, size_t size, uint64_t lines) {
    uint64_t numbers = 0;
    uint32_t rows = (uint32_t)((size - CS_STRUCTURE_HEAD_BYTES) / CS_ROW_BYTES);
    for (uint32_t i = 0; i < rows; i++) {
        uint8_t *at = structure + CS_STRUCTURE_HEAD_BYTES + (size_t)i * CS_ROW_BYTES;
        cs_row row;
        memcpy(&row, at, sizeof row);
        row.line_count = i + 1 == rows ? lines : lines ? row.line_count % lines : 0;
        lines -= row.line_count;
        row.first &= (UINT64_C(1) << CS_KEY_BITS) - 1;
        row.last &= (UINT64_C(1) << CS_KEY_BITS) - 1;
        row.role %= 3;
        row.reserved = 0;
        row.slot_bits = CS_MIN_SLOT_BITS + row.slot_bits % (CS_MAX_SLOT_BITS - CS_MIN_SLOT_BITS + 1);
        numbers += row.number_count;
        memcpy(at, &row, sizeof row);
    }
    memcpy(structure, &numbers, 8);
    memcpy(structure + 8, &rows, 4);
}

static void open_bytes(const uint8_t *data, size_t size, int fitting) {
    if (size < 2)
        return;
    size_t rows = data[0] % 8, keys = data[1];
    data += 2;
    size -= 2;
    size_t structure_size = CS_STRUCTURE_HEAD_BYTES + rows * CS_ROW_BYTES;
    if (structure_size > size)
        structure_size = size;
    uint8_t *structure = copy(data, structure_size);
    data += structure_size;
    size -= structure_size;
    if (keys * 8 > size)
        keys = size / 8;
    uint64_t *asked = copy(data, keys * 8);
    data += keys * 8;
    size -= keys * 8;
    const size_t line_bytes = size / CS_LINE_BYTES * CS_LINE_BYTES;
    uint8_t *lines = copy(data, line_bytes);
    if (fitting && structure_size >= CS_STRUCTURE_HEAD_BYTES)
        fit(structure, structure_size, line_bytes / CS_LINE_BYTES);
    cs_set set;
    cs_problem problem = {0};
    const int result = cs_set_open(&set, structure, structure_size, lines, line_bytes, &problem);
    if (result == 0) {
        ask(&set, asked, keys);
        ask_around_slots(&set);
        cs_set_close(&set);
    } else if (result == 1) {
        require(problem.field && problem.row >= -1 && problem.row < 8);
        require(problem.found < problem.least || problem.found > problem.most);
    }
    free(structure);
    free(asked);
    free(lines);
}

static int ascending(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Each 3 bytes of the input are a number: a shift, and how far it is from the one before. */
static void build_and_open(const uint8_t *data, size_t size) {
    if (size < 8)
        return;
    uint64_t seed;
    memcpy(&seed, data, 8);
    data += 8;
    size -= 8;
    size_t count = size / 3 < MOST_KEYS ? size / 3 : MOST_KEYS;
    uint64_t *keys = calloc(count + 1, sizeof *keys);
    if (!keys)
        abort();
    uint64_t key = 10;
    for (size_t i = 0; i < count; i++, data += 3) {
        key += (uint64_t)(data[1] | data[2] << 8) << data[0] % 56;
        key &= (UINT64_C(1) << CS_KEY_BITS) - 1;
        if (key > UINT64_C(999999999999999))
            key |= UINT64_C(1) << (CS_KEY_BITS - 1); /* between them is no number */
        keys[i] = key;
    }
    uint64_t *given = copy(keys, count * sizeof *keys);
    cs_built built;
    require(cs_build(&built, given, count, seed, (int)(seed & 1)) == 0);
    uint8_t head[CS_STRUCTURE_HEAD_BYTES];
    memcpy(head, &built.number_count, 8);
    memcpy(head + 8, &built.row_count, 4);
    memcpy(head + 12, &built.digit_lengths, 4);
    const size_t rows_size = (size_t)built.row_count * CS_ROW_BYTES;
    uint8_t *structure = malloc(sizeof head + rows_size);
    uint8_t *lines = copy(built.lines, (size_t)built.line_count * CS_LINE_BYTES);
    if (!structure)
        abort();
    memcpy(structure, head, sizeof head);
    if (rows_size)
        memcpy(structure + sizeof head, built.rows, rows_size);
    cs_set set;
    cs_problem problem;
    require(cs_set_open(&set, structure, sizeof head + rows_size, lines,
                        built.line_count * CS_LINE_BYTES, &problem) == 0);
    qsort(keys, count, sizeof *keys, ascending);
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t next = keys[i] + 1;
        require(cs_set_has(&set, keys[i]));
        require(cs_set_has(&set, next) == !!bsearch(&next, keys, count, sizeof next, ascending));
        different += i == 0 || keys[i] != keys[i - 1];
    }
    ask(&set, keys, count);
    require(set.number_count == different);
    uint64_t listed = 0;
    for (uint64_t i = 0; i < cs_set_slots(&set); i++) {
        const int found = cs_set_slot(&set, i, &key);
        require(found >= 0);
        if (found)
            require(bsearch(&key, keys, count, sizeof key, ascending) != NULL);
        listed += (uint64_t)found;
    }
    require(listed == different);
    cs_set_close(&set);
    cs_built_free(&built);
    free(structure);
    free(lines);
    free(given);
    free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        open_bytes(data + 1, size - 1, 0);
        break;
    case 1:
        open_bytes(data + 1, size - 1, 1);
        break;
    default:
        build_and_open(data + 1, size - 1);
    }
    return 0;
}
