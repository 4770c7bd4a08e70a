#include "arena.h"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace easgd::proof {
namespace {

alignas(64) char arena[kArenaBytes];
std::size_t used = 0;

void* take(std::size_t bytes, std::size_t alignment) {
  if (!in_scenario) {
    const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, whole);
    if (!memory) throw std::bad_alloc();
    return memory;
  }
  used = (used + alignment - 1) / alignment * alignment;
  if (used + bytes > kArenaBytes) throw std::bad_alloc();
  void* memory = arena + used;
  used += bytes;
  return memory;
}

void give_back(void* memory) {
  if (offset_in_arena(memory) >= kArenaBytes) std::free(memory);
}

}  // namespace

bool in_scenario = false;

void empty_arena() {
  used = 0;
}

std::span<char> arena_in_use() {
  return {arena, used};
}

std::size_t offset_in_arena(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(arena);
}

}  // namespace easgd::proof

// Those of the whole program.
void* operator new(std::size_t bytes) {
  return easgd::proof::take(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return easgd::proof::take(bytes, std::size_t(alignment));
}
void operator delete(void* memory) noexcept {
  easgd::proof::give_back(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  easgd::proof::give_back(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  easgd::proof::give_back(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  easgd::proof::give_back(memory);
}
