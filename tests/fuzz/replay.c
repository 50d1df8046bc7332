/* fuzz_number_set.c without libFuzzer: over the files that are named, then over random bytes.
 *
 * Prints a digest of what the comparisons of a whole line found, which is the same for every
 * processor and every way to compare: SSE2, NEON, plain C.
 */
#include <stdio.h>

#include "lookup_core/number_set.h"

#define RANDOM_INPUTS 20000
#define MOST_BYTES 4096
#define RANDOM_LINES 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 1;

static uint64_t next_random(void) {
    return cs_random_bits(state++);
}

static uint64_t digest_of_comparisons(void) {
    static _Alignas(CS_LINE_BYTES) uint8_t line[CS_LINE_BYTES];
    uint64_t digest = 0;
    for (int i = 0; i < RANDOM_LINES; i++) {
        /* Few different bytes, so that many are equal; the highest bits too. */
        const uint64_t step = next_random();
        for (int at = 0; at < CS_LINE_BYTES; at++)
            line[at] = (uint8_t)((next_random() & 3) * step);
        const int wanted = (int)(next_random() % (CS_LINE_BYTES - 1));
        const uint16_t word = (uint16_t)(line[wanted] | line[wanted + 1] << 8);
        digest = cs_random_bits(digest ^ cs_equal_bytes(line, line[wanted]));
        digest = cs_random_bits(digest ^ cs_equal_words(line, word));
    }
    return digest;
}

int main(int count, char **names) {
    static uint8_t data[1 << 20];
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");
        if (!file)
            return perror(names[i]), 2;
        const size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    for (int i = 0; i < RANDOM_INPUTS; i++) {
        const size_t size = next_random() % (i % 16 ? 256 : MOST_BYTES);
        for (size_t at = 0; at < size; at++)
            data[at] = (uint8_t)next_random();
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%016llx\n", (unsigned long long)digest_of_comparisons());
    return 0;
}
