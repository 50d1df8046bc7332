/* Mistakes for the sanitizers to find, so that a test knows that they look. */
#include <stdlib.h>

int byte_of(unsigned size, unsigned at) {
    volatile unsigned char *bytes = calloc(size, 1);
    const int found = bytes ? bytes[at] : -1;
    free((void *)bytes);
    return found;
}

int zero_shifted(int by) {
    return 0 << by;
}
