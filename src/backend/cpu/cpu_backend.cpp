#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <numeric>

#include "backend/cpu/cpu_model.h"
#include "backend/cpu/elementwise_loops.h"
#include "backend/cpu/parallel_for.h"
#include "kernels/squared_distance.h"

namespace easgd::cpu {

CpuBackend::CpuBackend(const BackendOptions& options) {
  start_threads(std::max(1, options.threads));
}

void CpuBackend::upload(ConstView host, View device) {
  check_same_size(host, device);
  std::ranges::copy(host, device.begin());
}
void CpuBackend::download(ConstView device, View host) {
  check_same_size(device, host);
  std::ranges::copy(device, host.begin());
}

void CpuBackend::run(const kernels::Elementwise& kernel, std::size_t count) {
  std::visit([count](const auto& formula) { for_each_element(count, formula); }, kernel);
}

void CpuBackend::start_distance(ConstView x, ConstView c) {
  constexpr std::size_t kPiece = 1 << 16;  // the same for every team, and so are the bits
  sums_.resize((x.size() + kPiece - 1) / kPiece);
  parallel_for(sums_.size(), x.size(), [&](std::size_t p) {
    const std::size_t begin = p * kPiece, count = std::min(kPiece, x.size() - begin);
    sums_[p] =
        kernels::squared_distance(x.data() + begin, c.empty() ? nullptr : c.data() + begin, count);
  });
  squared_distance_ = std::accumulate(sums_.begin(), sums_.end(), 0.0);
}

std::unique_ptr<Model> CpuBackend::compile(const Network& network, const ModelOptions& options) {
  return std::make_unique<CpuModel>(network, options);
}

namespace {

const Registered<BackendKind> kRegistered(
    "cpu",
    {.make = [](const BackendOptions& options) { return std::make_unique<CpuBackend>(options); },
     .most_threads = most_threads});

}  // namespace
}  // namespace easgd::cpu
