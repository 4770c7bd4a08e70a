#include "backend/cpu/crew.h"

#include <fmt/format.h>
#include <omp.h>

#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd::cpu {

/// oneDNN computes on the thread that calls it, and makes its plans for that.
Crew::Crew(int threads) {
  omp_set_num_threads(1);
  try {
    for (int i = 1; i < threads; ++i) {
      helpers_.push_back(start_thread(fmt::format("{} of {}", i + 1, threads), [this] { help(); }));
    }
  } catch (...) {
    end();
    throw;
  }
}

Crew::~Crew() {
  end();
}

void Crew::end() {
  gate_.end();
  for (std::thread& helper : helpers_) helper.join();
}

void Crew::hand_out(std::size_t count, Job job) {
  job_ = job;
  gate_.open(count);
  take_tasks();
  gate_.close();
  error_.throw_if_any();
}

void Crew::take_tasks() noexcept {
  while (const auto task = gate_.take()) {
    try {
      job_.call(job_.task, *task);
    } catch (...) {
      error_.record();
      gate_.skip_the_rest();
    }
  }
}

/// The body of a helper's thread.
void Crew::help() {
  name_thread("helper");
  omp_set_num_threads(1);
  const FlushedDenormals scope;
  for (int round = 0; gate_.enter(round);) {
    take_tasks();
    gate_.leave();
  }
}

}  // namespace easgd::cpu
