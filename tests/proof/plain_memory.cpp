#include "plain_memory.h"

#include <fmt/format.h>

namespace easgd::proof {

std::uint64_t PlainMemory::hash_of(std::size_t word, const Cell& cell) {
  std::uint64_t packed = cell.written == 0 ? 0 : std::uint64_t(cell.writer) << 8 | cell.written;
  for (const std::uint8_t moment : cell.read) packed = packed << 8 | moment;
  return packed == 0 ? 0 : mixed(word, packed);
}

std::optional<std::string> PlainMemory::touch(std::size_t word, Access access, std::size_t thread,
                                              const Memory& memory) {
  Cell& cell = cells_[word];
  const auto complain = [&](std::size_t other, const char* what) {
    return fmt::format("a race: thread {} {} word {} of the arena, which thread {} {}", thread,
                       access == Access::write ? "writes" : "reads", word, other, what);
  };
  if (!memory.knows(thread, cell.writer, cell.written)) return complain(cell.writer, "writes");
  hash_ ^= hash_of(word, cell);
  if (access == Access::write) {
    for (std::size_t other = 0; other < kMostThreads; ++other) {
      if (!memory.knows(thread, other, cell.read[other])) return complain(other, "reads");
    }
    cell = {.writer = std::uint8_t(thread), .written = memory.now(thread)};
  } else {
    cell.read[thread] = memory.now(thread);
  }
  hash_ ^= hash_of(word, cell);
  return std::nullopt;
}

}  // namespace easgd::proof
