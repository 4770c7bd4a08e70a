#include "backend/cuda/counts.h"

#include <numeric>
#include <utility>

namespace easgd::cuda {
namespace {

constexpr std::size_t kMostInFlight = 64;  // batches whose loss nobody has asked for

double* losses_in(float* counts) {
  return reinterpret_cast<double*>(counts);
}
std::int32_t* hits_in(float* counts, std::size_t batch) {
  return reinterpret_cast<std::int32_t*>(counts + 2 * batch);
}

}  // namespace

Counts::Counts(std::size_t batch, cudaStream_t stream)
    : batch_(batch), stream_(stream), counts_(device_buffer(3 * batch)) {}

double* Counts::losses() const {
  return losses_in(counts_.data());
}

std::int32_t* Counts::hits() const {
  return hits_in(counts_.data(), batch_);
}

void Counts::send(int samples) {
  harvest(in_flight_.size() >= kMostInFlight);
  if (idle_.empty()) idle_.push_back({pinned_buffer(3 * batch_), make_event(), 0});
  Flight& flight = in_flight_.emplace_back(std::move(idle_.back()));
  idle_.pop_back();
  flight.samples = samples;
  copy(counts_.data(), flight.pinned.data(), 3 * batch_ * sizeof(float), stream_);
  check(cudaEventRecord(flight.arrived, stream_), "cudaEventRecord");
}

/// Adds up what has arrived; `wait`: the first at least.
void Counts::harvest(bool wait) {
  while (!in_flight_.empty()) {
    Flight& flight = in_flight_.front();
    if (std::exchange(wait, false)) {
      check(cudaEventSynchronize(flight.arrived), "the loss of a batch");
    } else {
      const cudaError_t answer = cudaEventQuery(flight.arrived);
      if (answer == cudaErrorNotReady) {
        cudaGetLastError();  // no error
        return;
      }
      check(answer, "the loss of a batch");
    }
    const double* losses = losses_in(flight.pinned.data());
    const std::int32_t* hits = hits_in(flight.pinned.data(), batch_);
    tally_ += {std::accumulate(losses, losses + flight.samples, 0.0),
               std::accumulate(hits, hits + flight.samples, std::int64_t{0}), flight.samples};
    idle_.push_back(std::move(flight));
    in_flight_.pop_front();
  }
}

Tally Counts::take() {
  harvest(false);
  return std::exchange(tally_, {});
}

}  // namespace easgd::cuda
