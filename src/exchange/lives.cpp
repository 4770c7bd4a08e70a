#include "exchange/lives.h"

#include <chrono>

namespace easgd {
namespace {

constexpr auto kGrace = std::chrono::seconds(1);

}  // namespace

Lives::Lives(std::size_t workers) : current_(workers) {
  for (std::size_t i = 0; i < workers; ++i) {
    current_[i] = lives_.emplace_back(std::make_unique<Life>(bell_, i)).get();
  }
}

Life& Lives::follow(Life& life, const NewLife& begins) {
  auto made = std::make_unique<Life>(bell_, life.worker);
  made->before = life.before + 1;
  made->begins = begins;
  made->telemetry.count_on(life.telemetry);
  const std::lock_guard lock(mutex_);
  if (!is_joining_) join_ended();
  Life& heir = *lives_.emplace_back(std::move(made));
  current_[life.worker] = &heir;
  return heir;
}

/// A thread that has ended keeps its stack until then.
void Lives::join_ended() {
  for (const auto& life : lives_) {
    if (life->thread.joinable() && life->has_ended.try_acquire()) life->thread.join();
  }
}

Life* Lives::find(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return index < lives_.size() ? lives_[index].get() : nullptr;
}

void Lives::join() {
  strays_ = 0;
  {
    const std::lock_guard lock(mutex_);
    is_joining_ = true;
  }
  for (std::size_t i = 0; Life* life = find(i); ++i) {
    if (!life->thread.joinable()) continue;
    if (life->is_given_up && !life->has_ended.try_acquire_for(kGrace)) {
      ++strays_;
    } else {
      life->thread.join();
    }
  }
}

void Lives::join_strays() {
  for (std::size_t i = 0; Life* life = find(i); ++i) {
    if (life->thread.joinable()) life->thread.join();
  }
  strays_ = 0;
}

}  // namespace easgd
