// The search for the fastest plan, on a cuDNN whose engines are as slow as a test wants them.

#include "backend/cuda/plan_search.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "backend/cuda/stream.h"
#include "base/error.h"
#include "base/warning.h"
#include "fake_cuda.h"
#include "temporary_folder.h"

using namespace easgd;
using namespace easgd::cuda;
using easgd::testing::TemporaryFolder;

namespace {

// The stand-in ranks four engines, and, as cuDNN does, the same again to fall back on. Of them a
// convolution of floats for tensor cores can have two.
constexpr int kEngines = 4, kFirst = 2, kSecond = 3;

constexpr Convolution kConvolution{.samples = 2,
                                   .input = {4, 5, 5},
                                   .output = {8, 3, 3},
                                   .kernel = {3, 3},
                                   .stride = {1, 1},
                                   .pad = {},
                                   .format = {.channels_last = true},
                                   .tensor_cores = true};

/// One engine is slow while it lives.
struct Slow {
  explicit Slow(int number) : engine(number) { fake_cuda::slow_down(engine, 0.02); }
  ~Slow() { fake_cuda::slow_down(engine, 0); }
  int engine;
};

struct Device {
  Device() {
    check(cudnnCreate(handle.put()), "cudnnCreate");
    check(cudnnSetStream(handle, stream), "cudnnSetStream");
  }
  int fastest(PlanChoices& choices, const Convolution& c = kConvolution, Role role = Role::data) {
    const auto plan = fastest_plan(handle, stream, c, role, choices);
    REQUIRE(plan);
    return int(plan->rank()) % kEngines;
  }

  Stream stream = make_stream("test");
  Handle<cudnnHandle_t, cudnnDestroy> handle;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What is warned of while it lives.
struct Warnings {
  std::vector<std::string> lines;
  WarningScope scope{[this](const std::string& message) { lines.push_back(message); }};
};

}  // namespace

TEST_CASE("plan search: the fastest is chosen, wherever it is ranked") {
  Device device;
  for (const Role role : {Role::forward, Role::forward_bias_relu, Role::data, Role::filter}) {
    CAPTURE(int(role));
    PlanChoices these(""), those("");
    {
      const Slow slow(kFirst);
      CHECK(device.fastest(these, kConvolution, role) == kSecond);
    }
    const Slow slow(kSecond);
    CHECK(device.fastest(those, kConvolution, role) == kFirst);
    CHECK(device.fastest(these, kConvolution, role) == kSecond);  // known
  }
}

TEST_CASE("plan search: a choice outlives the process that made it, and is of one convolution") {
  Device device;
  const TemporaryFolder folder;
  const std::string path = folder / "caches/plans.txt";
  Convolution wider = kConvolution;
  wider.output.channels = 12;
  {
    const Slow slow(kFirst);
    PlanChoices choices(path);
    CHECK(device.fastest(choices) == kSecond);
  }
  const Slow slow(kSecond);
  PlanChoices choices(path);
  CHECK(device.fastest(choices) == kSecond);
  CHECK(device.fastest(choices, wider) == kFirst);
  CHECK(device.fastest(choices, kConvolution, Role::filter) == kFirst);
  const std::string text = text_of(path);
  CHECK(text.starts_with(
      "fake, cuDNN 1: data, 2 of 4x5x5 to 8x3x3, kernel 3, stride 1, pad 0, tf32 = "));
  CHECK(std::ranges::count(text, '\n') == 3);
}

TEST_CASE(
    "plan search: of two processes that search at the same time, the first to answer counts") {
  Device device;
  const TemporaryFolder folder;
  const std::string path = folder / "plans.txt";
  PlanChoices first(path), second(path);
  const auto answer = [](PlanChoices& choices, std::size_t rank, auto before) {
    return choices.find("which?", [&] {
      before();
      return rank;
    });
  };
  CHECK(answer(second, 3, [&] { CHECK(answer(first, 2, [] {}) == 2); }) == 2);
  CHECK(answer(second, 4, [] {}) == 2);
  PlanChoices later(path);
  CHECK(answer(later, 5, [] {}) == 2);
}

TEST_CASE("plan search: a choice that this cuDNN's ranking does not reach is its first") {
  Device device;
  const TemporaryFolder folder;
  const std::string path = folder / "plans.txt";
  {
    PlanChoices choices(path);
    device.fastest(choices);
  }
  std::string text = text_of(path);
  std::ofstream(path) << text.substr(0, text.rfind(' ')) << " 100\n";
  PlanChoices choices(path);
  const auto plan = fastest_plan(device.handle, device.stream, kConvolution, Role::data, choices);
  REQUIRE(plan);
  CHECK(plan->rank() == ConvolutionPlan::make({device.handle}, kConvolution, Role::data)->rank());
}

TEST_CASE("plan search: a plan that wants much memory is taken only where there is no other") {
  Device device;
  const auto first = [&] {
    return int(first_plan(device.handle, device.stream, kConvolution, Role::data)->rank()) %
           kEngines;
  };
  const auto fastest = [&] {
    PlanChoices choices("");
    return device.fastest(choices);
  };
  constexpr std::int64_t kGibibyte = std::int64_t{1} << 30;
  const Slow slow(kSecond);
  fake_cuda::want_workspace(kFirst, kGibibyte);
  CHECK(first() == kFirst);
  fake_cuda::want_workspace(kFirst, kGibibyte + 1);
  CHECK(first() == kSecond);
  CHECK(fastest() == kSecond);
  fake_cuda::spoil(kSecond, true);
  CHECK(first() == kFirst);
  fake_cuda::spoil(kSecond, false);
  fake_cuda::want_workspace(kSecond, kGibibyte + 1);
  CHECK(first() == kFirst);
  CHECK(fastest() == kFirst);
  fake_cuda::want_workspace(kFirst, 3024);
  fake_cuda::want_workspace(kSecond, 4024);
}

TEST_CASE("plan search: a plan that does not run is passed over") {
  Device device;
  const auto first = [&] {
    return int(first_plan(device.handle, device.stream, kConvolution, Role::data)->rank());
  };
  CHECK(first() == kFirst);
  fake_cuda::spoil(kFirst, true);
  CHECK(first() == kSecond);
  PlanChoices choices("");
  CHECK(device.fastest(choices) == kSecond);
  fake_cuda::spoil(kSecond, true);
  CHECK_THROWS_WITH_AS(first(),
                       "cuda: none of cuDNN's plans for a convolution runs: cuda:0: "
                       "cudnnBackendExecute: CUDNN_STATUS_OF_A_STAND_IN: a plan that does not run",
                       DeviceError);
  fake_cuda::spoil(kFirst, false);
  fake_cuda::spoil(kSecond, false);
  CHECK(first() == kFirst);
}

TEST_CASE("plan search: a device that fails has chosen nothing") {
  const TemporaryFolder folder;
  const std::string path = folder / "plans.txt";
  std::jthread([&] {  // whose device it is
    check(cudaSetDevice(0), "cudaSetDevice");
    Device device;
    fake_cuda::enqueue(device.stream,
                       [] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); });
    fake_cuda::break_device(device.stream);
    PlanChoices choices(path);
    CHECK_THROWS_AS(device.fastest(choices), DeviceError);
  })
      .join();
  CHECK(text_of(path).empty());
}

TEST_CASE("plan search: a damaged line is warned of once, and the others count") {
  Device device;
  const TemporaryFolder folder;
  const std::string path = folder / "plans.txt";
  for (const char* line : {"no answer", "a question = ", "a question = 1x", "a question = -1"}) {
    CAPTURE(line);
    std::ofstream(path) << line << "\nanother = 3\n";
    const Warnings warnings;
    PlanChoices choices(path);
    const auto never = []() -> std::size_t { throw std::logic_error("a search"); };
    CHECK(choices.find("another", never) == 3);
    CHECK(choices.find("a question", [] { return std::size_t{2}; }) == 2);
    const Slow slow(kFirst);
    CHECK(device.fastest(choices) == kSecond);
    REQUIRE(warnings.lines.size() == 1);
    CHECK(warnings.lines[0].starts_with(path + ":1: expected \"QUESTION = NUMBER\", found \"" +
                                        line));
    PlanChoices later(path);
    CHECK(later.find("a question", never) == 2);
  }
}

TEST_CASE("plan search: choices that cannot be kept are warned of once, and used") {
  Device device;
  const TemporaryFolder folder;
  const std::string file = folder / "plans.txt";
  std::ofstream(file) << "a file, no folder\n";
  const Warnings warnings;
  PlanChoices choices(file + "/below/a/file");
  {
    const Slow slow(kFirst);
    CHECK(device.fastest(choices) == kSecond);
  }
  const Slow slow(kSecond);
  CHECK(device.fastest(choices) == kSecond);  // known
  CHECK(device.fastest(choices, kConvolution, Role::filter) == kFirst);
  REQUIRE(warnings.lines.size() == 1);
  CHECK(warnings.lines[0].find("cannot be written: Not a directory;") != std::string::npos);
}
