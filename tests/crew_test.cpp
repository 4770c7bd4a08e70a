#include "backend/cpu/crew.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/cpu_model.h"
#include "nn/conv2d.h"
#include "nn/linear.h"
#include "nn/softmax_cross_entropy.h"

namespace easgd::cpu {
namespace {

TEST_CASE("crew: every task is done once, whoever does it") {
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    Crew crew(threads);
    CHECK(crew.threads() == std::size_t(threads));
    for (const std::size_t count : {0, 1, 2, 5, 1000}) {
      for (int round = 0; round < 20; ++round) {
        std::vector<std::atomic<int>> done(count);
        crew.run(count, [&](std::size_t i) { ++done[i]; });
        CHECK(std::ranges::all_of(done, [](const auto& times) { return times == 1; }));
      }
    }
  }
}

TEST_CASE("crew: whoever computes takes denormals for 0, and nobody else does") {
  const auto half_of_least = [] {
    const volatile float least = std::numeric_limits<float>::min();
    return least * 0.5f;
  };
  const auto sum_of_denormals = [] {
    const volatile float denormal = std::numeric_limits<float>::denorm_min();
    return denormal + std::numeric_limits<float>::min();
  };
  for (const int threads : {1, 3}) {
    CAPTURE(threads);
    Crew crew(threads);
    const auto check = [&] {
      CHECK(half_of_least() == 0);
      CHECK(sum_of_denormals() == std::numeric_limits<float>::min());
    };
    std::mutex one_at_a_time;
    std::set<std::thread::id> seen;
    for (int round = 0; seen.size() < std::size_t(threads) && round < 10000; ++round) {
      crew.run(50, [&](std::size_t) {
        {
          const std::lock_guard lock(one_at_a_time);
          if (seen.insert(std::this_thread::get_id()).second) check();
        }
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      });
    }
    CHECK(seen.size() == std::size_t(threads));
    crew.run_ranges(1, [&](std::size_t, std::size_t) { check(); });
    CHECK(half_of_least() > 0);
    CHECK(sum_of_denormals() > std::numeric_limits<float>::min());
  }
}

TEST_CASE("crew: a thread that is kept from going on costs its task alone") {
  constexpr std::size_t kTasks = 100;
  Crew crew(2);
  std::latch others(kTasks - 1);
  crew.run(kTasks, [&](std::size_t i) { i == 0 ? others.wait() : others.count_down(); });
  CHECK(others.try_wait());
}

TEST_CASE("crew: what a task throws reaches the caller, and the crew goes on") {
  for (const int threads : {1, 3}) {
    Crew crew(threads);
    const auto fail = [](std::size_t i) {
      if (i % 7 == 3) throw std::runtime_error("broken");
    };
    CHECK_THROWS_WITH_AS(crew.run(50, fail), "broken", std::runtime_error);
    std::atomic<int> done = 0;
    crew.run(50, [&](std::size_t) { ++done; });
    CHECK(done == 50);
  }
}

TEST_CASE("crew: ranges cover a vector, and a short one is not cut") {
  Crew crew(3);
  for (const std::size_t count : {std::size_t{1}, kWorthThreads - 1, 3 * kWorthThreads + 5}) {
    std::vector<std::uint8_t> touched(count);
    std::atomic<int> ranges = 0;
    crew.run_ranges(count, [&](std::size_t begin, std::size_t end) {
      ++ranges;
      for (std::size_t i = begin; i < end; ++i) ++touched[i];
    });
    CHECK(std::ranges::count(touched, 1) == std::ptrdiff_t(count));
    CHECK((ranges == 1) == (count < kWorthThreads));
  }
}

TEST_CASE("crew: a batch is cut by its size, and for threads that would have nothing to do") {
  CHECK(CpuModel::count_pieces(1, 64, 4) == 1);
  CHECK(CpuModel::count_pieces(32, 64, 1) == 1);
  CHECK(CpuModel::count_pieces(128, 64, 1) == 2);
  CHECK(CpuModel::count_pieces(128, 64, 2) == 2);
  CHECK(CpuModel::count_pieces(128, 64, 5) == 5);
  CHECK(CpuModel::count_pieces(128, 16, 5) == 8);
  // A thread more would cost what it computes.
  CHECK(CpuModel::count_pieces(7, 128, 2) == 1);
  CHECK(CpuModel::count_pieces(16, 128, 2) == 1);
  CHECK(CpuModel::count_pieces(17, 128, 4) == 2);
  CHECK(CpuModel::count_pieces(33, 128, 2) == 2);
  CHECK(CpuModel::count_pieces(7, 8, 2) == 2);
}

TEST_CASE("CPU model: layers share the memory of what nobody reads any more") {
  constexpr int kChannels = 16, kSide = 32;
  constexpr std::size_t kBatch = 8,
                        kActivation = kBatch * kChannels * kSide * kSide * sizeof(float);
  const auto bytes_of = [](const std::vector<int>& channels, int kernel, bool training) {
    std::vector<std::shared_ptr<Layer>> stack;
    for (std::size_t i = 0; i < channels.size(); ++i) {
      auto conv = std::make_shared<Conv2d>();
      conv->name = "conv" + std::to_string(i);
      conv->channels = channels[i];
      conv->kernel = {kernel, kernel}, conv->pad = {kernel / 2, kernel / 2};
      stack.push_back(conv);
    }
    auto linear = std::make_shared<Linear>();
    linear->name = "linear", linear->outputs = 2;
    stack.push_back(linear);
    stack.push_back(std::make_shared<SoftmaxCrossEntropy>());
    const Network network({kChannels, kSide, kSide}, 2, stack);
    Crew crew(1);
    return CpuModel(network, {.batch = kBatch, .training = training}, crew).memory();
  };
  // What six more layers take: for training their outputs, else their weights. Kernels of 1x1 are
  // convolved directly, with copies of their weights.
  for (const int kernel : {1, 3}) {
    CAPTURE(kernel);
    const auto growth = [&](bool training) {
      const std::vector<int> few(3, kChannels), many(9, kChannels);
      return bytes_of(many, kernel, training) - bytes_of(few, kernel, training);
    };
    CHECK(growth(true) >= 6 * kActivation);
    CHECK(growth(true) < 7 * kActivation);
    CHECK(growth(false) < kActivation / 2);
  }
  // Outputs of 9, 8, ..., 1 activations, of which two are there at a time, and as much of weights.
  CHECK(bytes_of({144, 128, 112, 96, 80, 64, 48, 32, 16}, 3, false) < 40 * kActivation);
}

}  // namespace
}  // namespace easgd::cpu
