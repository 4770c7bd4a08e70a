#include "backend/cuda/plan_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>
#include <vector>

#include "backend/cuda/graphs.h"
#include "backend/cuda/stream.h"
#include "base/error.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kPlans = 6;  // that are timed
// Bytes; a plan that wants more is taken where there is no other.
constexpr std::size_t kMostWorkspace = std::size_t{1} << 30;
constexpr int kRounds = 5, kRuns = 4;
constexpr std::string_view kIs = " = ";
constexpr const char* kNoneRuns = "cuda: none of cuDNN's plans for a convolution runs";

std::string question(const Convolution& c, Role role) {
  constexpr const char* kRoles[] = {"forward", "forward with bias and ReLU", "data", "filter"};
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return fmt::format(
      "{}, cuDNN {}: {}, {} of {}x{}x{} to {}x{}x{}, kernel {}, stride {}, pad {}, {}",
      properties.name, cudnnGetVersion(), kRoles[int(role)], c.samples, c.input.channels,
      c.input.height, c.input.width, c.output.channels, c.output.height, c.output.width, c.kernel,
      c.stride, c.pad,
      c.format.bf16    ? "bf16"
      : c.tensor_cores ? "tf32"
                       : "f32");
}

/// Memory for a convolution of zeros, and the time that a plan takes for it.
class Trial {
 public:
  Trial(cudnnHandle_t handle, cudaStream_t stream, const Convolution& c, std::size_t workspace)
      : handle_(handle),
        stream_(stream),
        from_(make_timed_event()),
        to_(make_timed_event()),
        workspace_(device_bytes(workspace)),
        graphs_(stream) {
    const auto samples = std::size_t(c.samples), bytes = c.format.bytes();
    const auto filter = std::size_t(c.kernel) * std::size_t(c.kernel);
    const auto in = std::size_t(c.input.channels), out = std::size_t(c.output.channels);
    x_ = device_bytes(samples * c.input.size() * bytes);
    y_ = device_bytes(samples * c.output.size() * bytes);
    w_ = device_bytes(out * filter * in * bytes);
    b_ = device_bytes(out * bytes);
  }
  ~Trial() { cudaStreamSynchronize(stream_); }

  /// Throws: DeviceError where the plan does not run.
  void once(const ConvolutionPlan& plan) {
    run(plan);
    check(cudaStreamSynchronize(stream_), "a plan of a convolution, tried");
  }

  /// Seconds for a few runs, from the third call on as one piece of work, so that what the host does
  /// for a run does not count: a training step does without it too. Infinite where the plan does not
  /// run.
  double time(const ConvolutionPlan& plan) {
    try {
      check(cudaEventRecord(from_, stream_), "cudaEventRecord");
      graphs_.run({&plan}, [&] {
        for (int i = 0; i < kRuns; ++i) run(plan);
      });
      check(cudaEventRecord(to_, stream_), "cudaEventRecord");
      check(cudaEventSynchronize(to_), "a plan of a convolution, timed");
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, from_, to_), "cudaEventElapsedTime");
      return 1e-3 * double(milliseconds);
    } catch (const DeviceError&) {
      return std::numeric_limits<double>::infinity();
    }
  }

 private:
  void run(const ConvolutionPlan& plan) const {
    plan.run(handle_, x_.data(), w_.data(), b_.data(), y_.data(), workspace_.data());
  }
  static Buffer device_bytes(std::size_t bytes) {
    return device_buffer((bytes + sizeof(float) - 1) / sizeof(float));
  }

  cudnnHandle_t handle_;
  cudaStream_t stream_;
  Event from_, to_;
  Buffer x_, y_, w_, b_, workspace_;
  Graphs graphs_;
};

/// Of the fastest of the ranking. Plans take turns, and each is as fast as it has ever been.
std::size_t search(cudnnHandle_t handle, cudaStream_t stream, const Convolution& convolution,
                   Role role) {
  std::vector<ConvolutionPlan> plans;
  for (std::size_t place = 0; plans.size() < kPlans; ++place) {
    auto plan = ConvolutionPlan::make({handle}, convolution, role, place);
    if (!plan) break;
    place = plan->place();
    if (plan->workspace() <= kMostWorkspace) plans.push_back(std::move(*plan));
  }
  if (plans.size() < 2) {
    const auto only = first_plan(handle, stream, convolution, role);
    return only ? only->place() : 0;
  }
  std::size_t workspace = 0;
  for (const ConvolutionPlan& plan : plans) workspace = std::max(workspace, plan.workspace());
  Trial trial(handle, stream, convolution, workspace);
  std::vector<double> seconds(plans.size(), std::numeric_limits<double>::infinity());
  for (int warm = 0; warm < 2; ++warm) {
    for (const ConvolutionPlan& plan : plans) trial.time(plan);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      seconds[i] = std::min(seconds[i], trial.time(plans[i]));
    }
  }
  const auto fastest = std::ranges::min_element(seconds);
  if (std::isinf(*fastest)) throw DeviceError(kNoneRuns);
  return plans[std::size_t(fastest - seconds.begin())].place();
}

std::filesystem::path users_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value ? value : "");
  };
  std::filesystem::path caches = variable("XDG_CACHE_HOME");
  if (!caches.is_absolute()) {  // as its specification has it
    const std::filesystem::path home = variable("HOME");
    if (home.empty()) return {};
    caches = home / ".cache";
  }
  return caches / "easgd" / "convolution_plans.txt";
}

}  // namespace

void PlanChoices::read() {
  std::error_code error;
  if (std::filesystem::status(path_, error).type() == std::filesystem::file_type::not_found) return;
  errno = 0;
  std::ifstream file(path_);
  if (!file) {
    throw DataError(fmt::format("{}: cannot be read: {}; workers.plans = \"ranking\" does without",
                                path_.string(), std::strerror(errno)));
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::size_t is = line.rfind(kIs);
    const char *const from = line.data() + (is == line.npos ? 0 : is + kIs.size()),
                      *const end = line.data() + line.size();
    std::size_t place = 0;
    const auto [last, mistake] = std::from_chars(from, end, place);
    if (is == line.npos || mistake != std::errc() || last != end) {
      throw DataError(
          fmt::format("{}:{}: expected \"QUESTION = NUMBER\", found \"{}\"; without the "
                      "file plans are searched for anew",
                      path_.string(), number, line));
    }
    known_.emplace(line.substr(0, is), place);
  }
}

/// In one piece, whoever else is adding.
void PlanChoices::add(const std::string& question, std::size_t place) const {
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  errno = 0;
  std::ofstream file(path_, std::ios::app);
  file << fmt::format("{}{}{}\n", question, kIs, place) << std::flush;
  if (!file) {
    const std::string why = error ? error.message() : std::strerror(errno);
    throw DataError(
        fmt::format("{}: cannot be written: {}; workers.plans = \"ranking\" does without",
                    path_.string(), why));
  }
}

std::size_t PlanChoices::find(const std::string& question,
                              const std::function<std::size_t()>& search) {
  const Alone alone;
  const std::lock_guard lock(mutex_);
  if (!read_ && !path_.empty()) read();
  read_ = true;
  const auto known = known_.find(question);
  if (known != known_.end()) return known->second;
  const std::size_t place = search();
  if (!path_.empty()) {
    add(question, place);
    read();  // another process may have answered meanwhile
  }
  return known_.emplace(question, place).first->second;
}

PlanChoices& users_plan_choices() {
  static PlanChoices choices(users_file());
  return choices;
}

std::optional<ConvolutionPlan> first_plan(cudnnHandle_t handle, cudaStream_t stream,
                                          const Convolution& convolution, Role role) {
  std::string failure;
  for (const bool greedy : {false, true}) {
    for (std::size_t place = 0;; ++place) {
      auto plan = ConvolutionPlan::make({handle}, convolution, role, place);
      if (!plan) break;
      place = plan->place();
      if ((plan->workspace() > kMostWorkspace) != greedy) continue;
      std::optional<Trial> trial;
      try {
        trial.emplace(handle, stream, convolution, plan->workspace());
      } catch (const DeviceError&) {
        return plan;  // no memory to try it
      }
      try {
        trial->once(*plan);
        return plan;
      } catch (const DeviceError& e) {
        failure = e.what();
      }
    }
  }
  if (failure.empty()) return std::nullopt;
  throw DeviceError(fmt::format("{}: {}", kNoneRuns, failure));
}

std::optional<ConvolutionPlan> fastest_plan(cudnnHandle_t handle, cudaStream_t stream,
                                            const Convolution& convolution, Role role,
                                            PlanChoices& choices) {
  const std::size_t place = choices.find(question(convolution, role),
                                         [&] { return search(handle, stream, convolution, role); });
  auto plan = ConvolutionPlan::make({handle}, convolution, role, place);
  return plan ? std::move(plan) : ConvolutionPlan::make({handle}, convolution, role);
}

}  // namespace easgd::cuda
