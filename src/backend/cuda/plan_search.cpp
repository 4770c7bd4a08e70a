#include "backend/cuda/plan_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "backend/cuda/current_device.h"
#include "backend/cuda/plan_trial.h"
#include "base/error.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kPlans = 6;  // that are timed
// Bytes; a plan that wants more is taken only if there is no other.
constexpr std::size_t kMostWorkspace = std::size_t{1} << 30;
constexpr int kRounds = 5;
constexpr const char* kNoneRuns = "cuda: none of cuDNN's plans for a convolution runs";

std::string shown(const Sides& sides) {
  return sides.is_square() ? fmt::format("{}", sides.height) : to_string(sides);
}

std::string question(const Convolution& c, Role role) {
  constexpr const char* kRoles[] = {"forward", "forward with bias and ReLU", "data", "filter"};
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, current_device()), "cudaGetDeviceProperties");
  return fmt::format("{}, cuDNN {}: {}, {} of {} to {}, kernel {}, stride {}, pad {}{}, {}",
                     properties.name, cudnnGetVersion(), kRoles[int(role)], c.samples,
                     to_string(c.input), to_string(c.output), shown(c.kernel), shown(c.stride),
                     shown(c.pad), c.groups > 1 ? fmt::format(", groups {}", c.groups) : "",
                     c.format.bf16    ? "bf16"
                     : c.tensor_cores ? "tf32"
                                      : "f32");
}

/// The rank of the fastest plan. Plans take turns, and each is as fast as it has ever been.
std::size_t search(cudnnHandle_t handle, cudaStream_t stream, const Convolution& convolution,
                   Role role) {
  std::vector<ConvolutionPlan> plans;
  for (std::size_t rank = 0; plans.size() < kPlans; ++rank) {
    auto plan = ConvolutionPlan::make({handle}, convolution, role, rank);
    if (!plan) break;
    rank = plan->rank();
    if (plan->workspace() <= kMostWorkspace) plans.push_back(std::move(*plan));
  }
  if (plans.size() < 2) {
    const auto only = first_plan(handle, stream, convolution, role);
    return only ? only->rank() : 0;
  }
  std::size_t workspace = 0;
  for (const ConvolutionPlan& plan : plans) workspace = std::max(workspace, plan.workspace());
  PlanTrial trial(handle, stream, convolution, workspace);
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
  return plans[std::size_t(fastest - seconds.begin())].rank();
}

}  // namespace

std::optional<ConvolutionPlan> first_plan(cudnnHandle_t handle, cudaStream_t stream,
                                          const Convolution& convolution, Role role) {
  std::string failure;
  for (const bool greedy : {false, true}) {
    for (std::size_t rank = 0;; ++rank) {
      auto plan = ConvolutionPlan::make({handle}, convolution, role, rank);
      if (!plan) break;
      rank = plan->rank();
      if ((plan->workspace() > kMostWorkspace) != greedy) continue;
      std::optional<PlanTrial> trial;
      try {
        trial.emplace(handle, stream, convolution, plan->workspace());
      } catch (const DeviceError&) {
        return plan;  // no memory to try it
      }
      try {
        trial->run_once(*plan);
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
  const std::size_t rank = choices.find(question(convolution, role),
                                        [&] { return search(handle, stream, convolution, role); });
  auto plan = ConvolutionPlan::make({handle}, convolution, role, rank);
  return plan ? std::move(plan) : ConvolutionPlan::make({handle}, convolution, role);
}

}  // namespace easgd::cuda
