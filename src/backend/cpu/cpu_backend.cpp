#include "backend/cpu/cpu_backend.h"

#include <omp.h>

#include <algorithm>
#include <numeric>

#include "backend/cpu/cpu_model.h"

#include "kernels/squared_distance.h"

namespace easgd::cpu {

CpuBackend::CpuBackend(const BackendOptions& options) : crew_(std::max(1, options.threads)) {}

void CpuBackend::upload(ConstView host, View device) {
  check_same_size(host, device);
  std::ranges::copy(host, device.begin());
}
void CpuBackend::download(ConstView device, View host) {
  check_same_size(device, host);
  std::ranges::copy(device, host.begin());
}

void CpuBackend::run(const kernels::Elementwise& kernel, std::size_t count) {
  const auto run = [&](const auto& formula) {
    crew_.run_ranges(count, [&formula](std::size_t begin, std::size_t end) {
#pragma GCC ivdep
      for (std::size_t i = begin; i < end; ++i) formula(i);
    });
  };
  std::visit(run, kernel);
}

void CpuBackend::start_distance(ConstView x, ConstView c) {
  constexpr std::size_t kPiece = 1 << 16;  // the same for every team, and so are the bits
  sums_.resize((x.size() + kPiece - 1) / kPiece);
  const auto sum = [&](std::size_t p) {
    const std::size_t begin = p * kPiece, count = std::min(kPiece, x.size() - begin);
    sums_[p] =
        kernels::squared_distance(x.data() + begin, c.empty() ? nullptr : c.data() + begin, count);
  };
  if (x.size() < kWorthThreads) {
    for (std::size_t p = 0; p < sums_.size(); ++p) sum(p);
  } else {
    crew_.run(sums_.size(), sum);
  }
  squared_distance_ = std::accumulate(sums_.begin(), sums_.end(), 0.0);
}

std::unique_ptr<Model> CpuBackend::compile(const Network& network, const ModelOptions& options) {
  return std::make_unique<CpuModel>(network, options, crew_);
}

namespace {

int most_threads() {
  return omp_get_thread_limit();
}

const Registered<BackendKind> kRegistered(
    "cpu",
    {.make = [](const BackendOptions& options) { return std::make_unique<CpuBackend>(options); },
     .most_threads = most_threads,
     .same_bits =
         [](std::size_t batch, int threads, int other_threads) {
           for (auto n = CpuModel::kFewestSamples; n <= CpuModel::kMostSamples; ++n) {
             if (CpuModel::count_pieces(batch, n, std::size_t(threads)) !=
                 CpuModel::count_pieces(batch, n, std::size_t(other_threads))) {
               return false;  // of some network
             }
           }
           return true;
         },
     .model_memory = CpuModel::predict_memory});

}  // namespace
}  // namespace easgd::cpu
