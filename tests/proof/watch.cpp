// What the compiler calls at each read and write of code that it has instrumented for the thread
// sanitizer (-fsanitize=thread), whose own library is not linked.
#include <cstddef>

#include "explorer.h"

using easgd::proof::Access;
using easgd::proof::Explorer;
using easgd::proof::in_scenario;

namespace {

void touch(const void* address, std::size_t bytes, Access access) {
  if (in_scenario) Explorer::current().touch(address, bytes, access);
}

}  // namespace

extern "C" {

#define EASGD_WATCH(bytes)                      \
  void __tsan_read##bytes(void* p) {            \
    touch(p, bytes, Access::read);              \
  }                                             \
  void __tsan_write##bytes(void* p) {           \
    touch(p, bytes, Access::write);             \
  }                                             \
  void __tsan_unaligned_read##bytes(void* p) {  \
    touch(p, bytes, Access::read);              \
  }                                             \
  void __tsan_unaligned_write##bytes(void* p) { \
    touch(p, bytes, Access::write);             \
  }
EASGD_WATCH(1)
EASGD_WATCH(2)
EASGD_WATCH(4)
EASGD_WATCH(8)
EASGD_WATCH(16)
#undef EASGD_WATCH

void __tsan_read_range(void* p, std::size_t bytes) {
  touch(p, bytes, Access::read);
}
void __tsan_write_range(void* p, std::size_t bytes) {
  touch(p, bytes, Access::write);
}
void __tsan_vptr_read(void** p) {
  touch(p, sizeof *p, Access::read);
}
void __tsan_vptr_update(void** p, void*) {
  touch(p, sizeof *p, Access::write);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

// Calls of the C library are not instrumented: the linker leads them here (--wrap).
void* __real_memmove(void* to, const void* from, std::size_t bytes);
void* __real_memcpy(void* to, const void* from, std::size_t bytes);

void* __wrap_memmove(void* to, const void* from, std::size_t bytes) {
  touch(from, bytes, Access::read);
  touch(to, bytes, Access::write);
  return __real_memmove(to, from, bytes);
}
void* __wrap_memcpy(void* to, const void* from, std::size_t bytes) {
  touch(from, bytes, Access::read);
  touch(to, bytes, Access::write);
  return __real_memcpy(to, from, bytes);
}
}
