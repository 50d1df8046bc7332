// The C++ peer: absl::flat_hash_set<uint64_t> in a process of its own.
//
// Usage: absl_set --version
//        absl_set KEYS QUERIES    files of native uint64, as bench/number_sets.py writes them.
// The second prints one line of JSON when loaded. Then, for each line "START COUNT" on standard input, looks up those
// queries with contains() in a plain loop, and prints "NANOSECONDS HITS": processor time of the loop.

#include <sys/stat.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "absl/base/config.h"
#include "absl/container/flat_hash_set.h"

namespace {

int64_t cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

[[noreturn]] void fail(const char* what, const char* path) {
  std::fprintf(stderr, "absl_set: %s: ", path);
  std::perror(what);
  std::exit(1);
}

int64_t anonymous_bytes() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (!status) fail("open", "/proc/self/status");
  char line[256];
  long long kib = 0;
  while (std::fgets(line, sizeof line, status)) {
    if (std::sscanf(line, "RssAnon: %lld", &kib) == 1) break;
  }
  std::fclose(status);
  return kib * 1024;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && !std::strcmp(argv[1], "--version")) {
    std::printf("absl %d, compiler %s\n", ABSL_LTS_RELEASE_VERSION, __VERSION__);
    return 0;
  }
  if (argc != 3) {
    std::fprintf(stderr, "usage: absl_set KEYS QUERIES\n");
    return 2;
  }
  std::FILE* keys = std::fopen(argv[1], "rb");
  if (!keys) fail("open", argv[1]);
  std::FILE* queries = std::fopen(argv[2], "rb");
  if (!queries) fail("open", argv[2]);
  struct stat status;
  if (fstat(fileno(keys), &status)) fail("stat", argv[1]);

  std::vector<uint64_t> block(1 << 16);
  const int64_t before = anonymous_bytes();
  absl::flat_hash_set<uint64_t> set;
  set.reserve(status.st_size / sizeof(uint64_t));
  int64_t spent = 0;
  while (size_t count = std::fread(block.data(), sizeof(uint64_t), block.size(), keys)) {
    const int64_t began = cpu_ns();
    for (size_t i = 0; i < count; ++i) set.insert(block[i]);
    spent += cpu_ns() - began;
  }
  std::fclose(keys);
  std::printf("{\"bytes\": %" PRId64 ", \"insert_ns\": %" PRId64 "}\n", anonymous_bytes() - before,
              spent);
  std::fflush(stdout);

  size_t start, count;
  while (std::scanf("%zu %zu", &start, &count) == 2) {
    block.resize(count);
    if (std::fseek(queries, start * sizeof(uint64_t), SEEK_SET) ||
        std::fread(block.data(), sizeof(uint64_t), count, queries) != count) {
      fail("read", argv[2]);
    }
    size_t hits = 0;
    const int64_t began = cpu_ns();
    for (const uint64_t query : block) hits += set.contains(query);
    std::printf("%" PRId64 " %zu\n", cpu_ns() - began, hits);
    std::fflush(stdout);
  }
}
