#include "backend/cuda/loss_readback.h"

#include <utility>

namespace easgd::cuda {
namespace {

constexpr std::size_t kMostInFlight = 64;  // batches whose loss nobody has asked for

// Losses and ranks of a batch lie one after the other, so that one copy brings both.
std::size_t bytes_of(std::size_t batch) {
  return batch * (sizeof(double) + sizeof(std::int32_t));
}
double* losses_in(std::byte* memory) {
  return reinterpret_cast<double*>(memory);
}
std::int32_t* ranks_in(std::byte* memory, std::size_t batch) {
  return reinterpret_cast<std::int32_t*>(memory + batch * sizeof(double));
}

}  // namespace

LossReadback::LossReadback(std::size_t batch, cudaStream_t stream)
    : batch_(batch), stream_(stream), device_(bytes_of(batch)) {}

double* LossReadback::losses() const {
  return losses_in(device_.data());
}

std::int32_t* LossReadback::ranks() const {
  return ranks_in(device_.data(), batch_);
}

void LossReadback::send(int samples) {
  harvest(in_flight_.size() >= kMostInFlight);
  if (idle_.empty()) idle_.push_back({PinnedArray<std::byte>(device_.size()), make_event(), 0});
  Flight& flight = in_flight_.emplace_back(std::move(idle_.back()));
  idle_.pop_back();
  flight.samples = samples;
  copy(device_.data(), flight.pinned.data(), device_.bytes(), stream_);
  check(cudaEventRecord(flight.arrived, stream_), "cudaEventRecord");
}

/// Adds up what has arrived; `wait`: the first at least.
void LossReadback::harvest(bool wait) {
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
    const std::int32_t* ranks = ranks_in(flight.pinned.data(), batch_);
    Tally batch;
    for (int i = 0; i < flight.samples; ++i) batch.add(losses[i], ranks[i]);
    tally_ += batch;
    idle_.push_back(std::move(flight));
    in_flight_.pop_front();
  }
}

Tally LossReadback::take() {
  harvest(false);
  return std::exchange(tally_, {});
}

}  // namespace easgd::cuda
