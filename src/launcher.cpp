// The file that is started: sees to it that the program can run here, then loads it (libeasgd.so).
//
// It is compiled for any x86-64 and needs nothing but the C library, so that a processor, a library
// or a setting that the program cannot do with meets a line of text before it meets the program.

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "base/exit_code.h"

namespace {

using easgd::ExitCode;

/// A file that is opened later must not get the number of a standard stream that was closed: what
/// is printed would be written into it. What takes the number instead cannot be used as the stream,
/// so that a result that nobody can read is reported. False if there is no /dev/null.
bool take_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    const int opened = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened != stream) return false;  // the lowest number that is free
  }
  return true;
}

int fail(const char* what, const char* remedy) {
  std::fprintf(stderr, "easgd: %s; %s\n", what, remedy);
  return int(ExitCode::device);
}

/// What the program was compiled for (the build's option `cpu`) and this processor lacks, or null.
const char* missing_instructions() {
#ifdef __x86_64__
  __builtin_cpu_init();
#define EASGD_NEEDS(feature) \
  if (!__builtin_cpu_supports(feature)) return feature;
  EASGD_FEATURES
#undef EASGD_NEEDS
#endif
  return nullptr;
}

/// Threads wait for each other by it, and abort if a sandbox or an emulator does not have it.
bool has_futex() {
  int word = 0;
  return syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0) != -1 ||
         errno != ENOSYS;
}

/// OpenMP reads these when it is loaded, and no call takes them back: it would bind the main
/// thread, and the teams of all workers to the same cores, or could not start a thread. How many
/// threads there are and where they run is settled by workers.threads, OMP_THREAD_LIMIT, taskset
/// and quotas.
void take_away_settings() {
  for (const char* name :
       {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "OMP_STACKSIZE", "GOMP_STACKSIZE"}) {
    unsetenv(name);
  }
}

/// From where the launcher lies; by the name it was started with if /proc does not say.
/// Global: the CUDA side, a library of its own, uses the program's symbols.
void* load_program() {
  constexpr const char* kName = "libeasgd.so";
  constexpr int kMode = RTLD_NOW | RTLD_GLOBAL;
  const auto* started = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  const char* slash = started ? std::strrchr(started, '/') : nullptr;
  char path[4096];
  const bool fits = slash && std::snprintf(path, sizeof path, "%.*s/%s", int(slash - started),
                                           started, kName) < int(sizeof path);
  if (access("/proc/self/exe", F_OK) != 0 && fits) return dlopen(path, kMode);
  return dlopen(kName, kMode);
}

const char* remedy_of(const char* why) {
  for (const char* limit : {"failed to map", "cannot allocate", "Too many open files"}) {
    if (std::strstr(why, limit)) return "see the limits on memory and files: `ulimit -a`";
  }
  return "a library that the program needs is missing or too old: build it here (tools/build), or "
         "bring a bundle that was made on a system like this one or older (tools/bundle)";
}

}  // namespace

int main(int argc, char** argv) {
  if (!take_closed_streams()) {
    return fail("a standard stream is closed and there is no /dev/null", "redirect it to a file");
  }
  if (const char* missing = missing_instructions()) {
    char what[128];
    std::snprintf(what, sizeof what,
                  "cpu: this processor has no %s; the program was compiled for " EASGD_CPU,
                  missing);
    return fail(
        what,
        "use a processor that has it (AVX2: since 2013); in a virtual machine choose a type "
        "that does, as \"host\"");
  }
  if (!has_futex()) {
    return fail("the kernel has no call futex, by which threads wait",
                "use another kernel, or a sandbox that lets it through");
  }
  take_away_settings();
  void* program = load_program();
  const auto run =
      reinterpret_cast<int (*)(int, char**)>(program ? dlsym(program, "easgd_main") : nullptr);
  if (!run) {
    const char* why = dlerror();
    return fail(why, remedy_of(why));
  }
  return run(argc, argv);
}
