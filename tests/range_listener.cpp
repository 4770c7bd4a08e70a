// What a profiler does: loaded into the program through $NVTX_INJECTION64_PATH, it counts ranges by
// the path of their names, adds up their time, and notes how many seconds after the start of the
// program each first began. All that and the names of threads it leaves in $RANGE_LOG when the
// program ends. Tests use it, and benchmarks.

#include <nvtx3/nvToolsExt.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Seen {
  std::mutex mutex;
  std::map<std::string, int> ranges;
  std::map<std::string, double> seconds, first;
  std::set<std::string> threads, domains;

  ~Seen() {
    std::ofstream(std::getenv("RANGE_LOG"))
        << nlohmann::json(
               {{"ranges", ranges}, {"seconds", seconds}, {"first", first}, {"threads", threads}})
               .dump(2);
  }
};

struct Open {
  std::string path;
  Clock::time_point since;
};

/// Of the program, in seconds since the machine's: field 22 of its line in /proc, in ticks.
double start_of_program() {
  std::string line;
  std::getline(std::ifstream("/proc/self/stat"), line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  return std::stod(field) / double(sysconf(_SC_CLK_TCK));
}

double seconds_since_start() {
  static const double start = start_of_program();
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec) - start;
}

Seen seen;
thread_local std::vector<Open> open_ranges;

nvtxDomainHandle_t create_domain(const char* name) {
  const std::lock_guard lock(seen.mutex);
  const std::string& kept = *seen.domains.insert(name).first;
  return reinterpret_cast<nvtxDomainHandle_t>(const_cast<std::string*>(&kept));
}

int push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* event) {
  const std::string parent = open_ranges.empty()
                                 ? *reinterpret_cast<const std::string*>(domain) + ":"
                                 : open_ranges.back().path + "/";
  open_ranges.push_back({parent + event->message.ascii, Clock::now()});
  {
    const std::lock_guard lock(seen.mutex);
    const auto [first, is_new] = seen.first.try_emplace(open_ranges.back().path);
    if (is_new) first->second = seconds_since_start();
  }
  return int(open_ranges.size()) - 1;
}

int pop(nvtxDomainHandle_t) {
  if (open_ranges.empty()) std::abort();  // more ends than beginnings
  const Open& last = open_ranges.back();
  const std::chrono::duration<double> took = Clock::now() - last.since;
  {
    const std::lock_guard lock(seen.mutex);
    ++seen.ranges[last.path];
    seen.seconds[last.path] += took.count();
  }
  open_ranges.pop_back();
  return int(open_ranges.size());
}

void name_thread(std::uint32_t, const char* name) {
  const std::lock_guard lock(seen.mutex);
  seen.threads.insert(name);
}

template <class Function>
NvtxFunctionPointer erased(Function* function) {
  return reinterpret_cast<NvtxFunctionPointer>(function);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtx2(
    NvtxGetExportTableFunc_t tables) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(tables(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable core = nullptr, core2 = nullptr;
  unsigned int size = 0;
  if (!callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &core, &size)) return 0;
  if (!callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &core2, &size)) return 0;
  *core[NVTX_CBID_CORE_NameOsThreadA] = erased(name_thread);
  *core2[NVTX_CBID_CORE2_DomainCreateA] = erased(create_domain);
  *core2[NVTX_CBID_CORE2_DomainRangePushEx] = erased(push);
  *core2[NVTX_CBID_CORE2_DomainRangePop] = erased(pop);
  return 1;
}
