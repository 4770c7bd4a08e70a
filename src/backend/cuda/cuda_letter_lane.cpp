#include "backend/cuda/cuda_letter_lane.h"

#include <utility>

#include "backend/cuda/current_device.h"

namespace easgd::cuda {
namespace {

/// On a thread of CUDA's, where nothing of CUDA may be called.
void CUDART_CB call_posted(void* posted) {
  (*static_cast<std::function<void()>*>(posted))();
}

}  // namespace

CudaLetterLane::CudaLetterLane(cudaStream_t compute)
    : device_(current_device()),
      compute_(compute),
      transfer_(make_stream("transfer")),
      computed_(make_event()),
      arrived_(make_event()) {
  for (Pause& pause : pauses_) pause = {make_timed_event(), make_timed_event()};
}

CudaLetterLane::~CudaLetterLane() {
  cudaStreamSynchronize(transfer_);
}

void CudaLetterLane::post(std::span<const ConstView> parts, View to, std::function<void()> posted) {
  check_letter_size(parts, to);
  const DeviceGuard guard(device_);
  const std::span<const ConstView> rest = parts.subspan(1);
  const View aside = reserve_aside(rest);
  std::size_t offset = 0;
  for (const ConstView part : rest) {
    copy(part.data(), aside.data() + offset, part.size_bytes(), compute_);
    offset += part.size();
  }
  check(cudaEventRecord(computed_, compute_), "cudaEventRecord");
  check(cudaStreamWaitEvent(transfer_, computed_), "cudaStreamWaitEvent");
  copy(parts[0].data(), to.data(), parts[0].size_bytes(), transfer_);
  copy(aside.data(), to.data() + parts[0].size(), aside.size_bytes(), transfer_);
  posted_ = std::move(posted);  // that of the letter before has been called: its reply has come
  check(cudaLaunchHostFunc(transfer_, call_posted, &posted_), "cudaLaunchHostFunc");
}

/// The letter before has left: nobody reads what was aside.
View CudaLetterLane::reserve_aside(std::span<const ConstView> parts) {
  std::size_t count = 0;
  for (const ConstView part : parts) count += part.size();
  if (aside_.size() < count) aside_ = device_buffer(count);
  return aside_.view().first(count);
}

void CudaLetterLane::wait_posted() {
  const DeviceGuard guard(device_);
  // The pause before the last is over: the letter in between has waited for the work that follows
  // it.
  turn_ = (turn_ + 1) % pauses_.size();
  measure(pauses_[turn_]);
  check(cudaEventRecord(pauses_[turn_].from, compute_), "cudaEventRecord");
  check(cudaStreamSynchronize(transfer_), "a letter on its way");
}

void CudaLetterLane::measure(Pause& pause) {
  if (!std::exchange(pause.ended, false)) return;
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, pause.from, pause.to), "cudaEventElapsedTime");
  stall_seconds_ += 1e-3 * double(milliseconds);
}

void CudaLetterLane::measure_pauses() {
  for (Pause& pause : pauses_) measure(pause);
}

ConstView CudaLetterLane::fetch(ConstView reply) {
  const DeviceGuard guard(device_);
  if (reply_.size() < reply.size()) reply_ = device_buffer(reply.size());
  // Two things make this copy safe though nobody waits for it:
  // - `reply_`: the compute lane no longer reads what was there. The last letter's `post` has made
  //   this stream wait for all steps before it, and a restart, the one read that follows a letter,
  //   ends by an upload, which waits for the compute lane.
  // - `reply`: the worker hands the mailbox back while this copy may still be queued, but the
  // master
  //   writes there only after the next letter or pull. A letter is posted from this stream, after
  //   the copy. A pull is not, but a push and its `wait_posted` come between.
  copy(reply.data(), reply_.data(), reply.size_bytes(), transfer_);
  check(cudaEventRecord(arrived_, transfer_), "cudaEventRecord");
  check(cudaStreamWaitEvent(compute_, arrived_), "cudaStreamWaitEvent");
  check(cudaEventRecord(pauses_[turn_].to, compute_), "cudaEventRecord");
  pauses_[turn_].ended = true;
  return reply_.view().first(reply.size());
}

cudaError_t CudaLetterLane::wait() {
  return cudaStreamSynchronize(transfer_);
}

}  // namespace easgd::cuda
