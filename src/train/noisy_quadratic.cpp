#include "train/noisy_quadratic.h"

#include "backend/backend_kind.h"
#include "kernels/philox.h"

namespace easgd::quadratic {

double curvature(std::size_t j) {
  return 0.25 + 0.25 * double(j % 4);
}

double noise(std::uint32_t worker, std::uint64_t step, std::size_t j) {
  const kernels::Random random{7, kernels::Stream::dropout, worker};
  return 2.0 * double(random.at(step, std::uint32_t(j)).uniform(0)) - 1;
}

double start(std::size_t j) {
  return 1 + double(j) / 8;
}

Buffer start_vector(std::size_t count) {
  Buffer x = host_buffer(count);
  for (std::size_t j = 0; j < count; ++j) x.view()[j] = float(start(j));
  return x;
}

void QuadraticModel::gradient(ConstView x, const Batch& batch, View g, View) {
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double n = noise_scale_ == 0 ? 0 : noise_scale_ * noise(batch.worker, batch.step, j);
    g[j] = float(curvature(j) * double(x[j]) - n);
  }
  if (after_) after_(batch.worker, batch.step, g);
  loss_ = x[0];
}

const Batch& StepCounter::next(std::uint64_t step) {
  if (before_) before_(batch_.worker, step);
  batch_.step = step;
  return batch_;
}

WorkerParts parts(std::uint32_t worker, double noise_scale, AfterGradient after,
                  BeforeBatch before) {
  return {
      .backend = [] { return make_backend("cpu"); },
      .model = [=](Backend&) { return std::make_unique<QuadraticModel>(noise_scale, after); },
      .batches = [=](Backend&) { return std::make_unique<StepCounter>(worker, before); },
  };
}

}  // namespace easgd::quadratic
