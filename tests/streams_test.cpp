// Is the exchange of a CUDA worker in order? The real CudaBackend on a device of threads
// (fake_cuda.h): what two streams, two events and a callback leave unordered comes out wrong here,
// or as a race under the thread sanitizer.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <future>
#include <limits>
#include <thread>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/device_locks.h"
#include "backend/cuda/graphs.h"
#include "backend/cuda/input.h"
#include "backend/cuda/loss_readback.h"
#include "base/check.h"
#include "base/error.h"
#include "data/loader.h"
#include "exchange/place_center.h"
#include "exchange/worker_placement.h"
#include "fake_cuda.h"
#include "network_spec.h"
#include "quadratic.h"
#include "random_batch.h"

using namespace easgd;

namespace {

constexpr std::size_t kParameters = 16, kStatistics = 3;

using Enqueue = std::function<void(std::function<void()>)>;

/// The toy's gradient as work of a stream, and statistics that it moves. At step 5 worker 1 gets a
/// gradient that makes its next letter one that is refused.
class StreamModel final : public Model {
 public:
  explicit StreamModel(Enqueue enqueue, std::function<void()> break_device = {})
      : enqueue_(std::move(enqueue)), break_device_(std::move(break_device)) {}

  void enqueue(std::function<void()> work) { enqueue_(std::move(work)); }
  std::uint64_t breaks_at =
      WorkerSchedule::kEndless;  ///< step of worker 1 in which its device does

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override {
    if (batch.worker == 1 && batch.step == breaks_at) break_device_();
    enqueue_([=, worker = batch.worker, step = batch.step] {
      for (std::size_t j = 0; j < x.size(); ++j) {
        g[j] = float(quadratic::curvature(j) * double(x[j]) - quadratic::noise(worker, step, j));
      }
      if (worker == 1 && step == 5) g[3] = std::numeric_limits<float>::quiet_NaN();
      for (float& s : statistics) s += float(worker + 1);
    });
  }
  void evaluate(ConstView, const Batch&) override {}
  void observe(ConstView, const Batch&, float, View) override {}
  Tally take_tally() override { return {0, 1, 1}; }
  void give_back(const Tally&) override {}
  std::size_t memory() const override { return 0; }

 private:
  Enqueue enqueue_;
  std::function<void()> break_device_;
};

struct Outcome {
  std::vector<float> center;  ///< and its statistics
  std::uint64_t version = 0, refused = 0;
};

/// Where a run's workers are, and its center.
enum class Where { cpu, cuda, cuda_and_center, cuda_everywhere };

MakeBackend on_device(int index) {
  return [index] { return std::make_unique<cuda::CudaBackend>(BackendOptions{.index = index}); };
}

std::unique_ptr<Model> stream_model(Backend& backend) {
  return backend.compile(testing::make_network({1, 1, 1}, 2, "linear outputs=2"), {});
}

/// A device for each worker, and a copy of the center there.
void place_everywhere(TeamOptions& options) {
  options.placement.devices.clear();
  for (std::size_t i = 0; i < options.workers.size(); ++i) {
    options.placement.devices.push_back(on_device(int(i)));
    options.workers[i].backend = on_device(int(i));
    options.workers[i].model = stream_model;
  }
  options.placement.routes.assign(options.workers.size(), Route::peer);
  options.placement.collective = Registry<MakeCollective>::get("cuda");
}

/// Worker 2 fails before its batch of step `fails_at`.
Outcome run(const std::string& algorithm, std::unique_ptr<OrderPolicy> (*order)(), Where where,
            std::uint64_t fails_at = WorkerSchedule::kEndless) {
  constexpr std::size_t kWorkers = 3;
  fake_cuda::set_devices(where == Where::cuda_everywhere ? kWorkers : 1);
  quadratic::Toy toy;
  toy.before_batch = [fails_at](std::uint32_t worker, std::uint64_t step) {
    if (worker == 2 && step == fails_at) throw DataError("no batch");
  };
  toy.workers = kWorkers;
  toy.order = order;
  toy.config.algorithm.name = algorithm;
  toy.config.algorithm.tau = Registry<Algorithm>::get(algorithm).every_step ? 1 : 2;
  toy.config.algorithm.learning_rate = 0.02;
  if (Registry<Algorithm>::get(algorithm).coupling != Coupling::none) {
    toy.config.algorithm.alpha = 0.2;
  }
  toy.config.stop.steps = 30;
  toy.change = [where](TeamOptions& options) {
    options.statistics = {kStatistics, StatisticsPolicy::average};
    if (where == Where::cuda_and_center) {
      options.placement.devices = {on_device(0)};
      options.placement.routes = {Route::peer, Route::staged, Route::peer};
    }
    if (where == Where::cuda_everywhere) return place_everywhere(options);
    for (WorkerParts& parts : options.workers) {
      if (where != Where::cpu) {
        parts.backend = on_device(0);
        parts.model = stream_model;
      } else {
        parts.model = [](Backend&) {
          return std::make_unique<StreamModel>([](const std::function<void()>& work) { work(); });
        };
      }
    }
  };
  const Buffer state0 = quadratic::start_vector(kParameters + kStatistics);
  const WorkerSchedule schedule(toy.config, kWorkers, 1);
  const int before = fake_cuda::allocated();
  Team team(toy.options(schedule, state0));
  team.start();
  team.join();
  CHECK(fake_cuda::allocated() == before);  // by whom it was made
  const double seconds = team.seconds();
  const CenterView view = team.master().view();
  Outcome result{{view.center.begin(), view.center.end()}, view.version, 0};
  result.center.insert(result.center.end(), view.statistics.begin(), view.statistics.end());
  for (std::size_t i = 0; i < kWorkers; ++i) result.refused += team.telemetry(i).refused;
  CHECK(team.seconds() == seconds);
  fake_cuda::set_devices(1);
  return result;
}

void check_same(const Outcome& cuda, const Outcome& cpu) {
  CHECK(cuda.version == cpu.version);
  CHECK(cuda.refused == cpu.refused);
  REQUIRE(cuda.center.size() == kParameters + kStatistics);
  for (std::size_t j = 0; j < cpu.center.size(); ++j) {
    CAPTURE(j);
    CHECK(cuda.center[j] == doctest::Approx(cpu.center[j]).epsilon(1e-5));
  }
}

}  // namespace

namespace easgd::cuda {

/// In the place of a network of cuDNN's.
std::unique_ptr<Model> CudaBackend::compile(const Network&, const ModelOptions&) {
  return std::make_unique<StreamModel>(
      [stream = compute_.get()](std::function<void()> work) {
        fake_cuda::enqueue(stream, std::move(work));
      },
      [stream = compute_.get()] { fake_cuda::break_device(stream); });
}

}  // namespace easgd::cuda

TEST_CASE("workers on streams end where workers on the CPU do, whenever they meet the master") {
  // Letters with the gradient, before it and around it; restarts after a refused letter; a center
  // on a device, which some workers reach themselves and some through the host.
  for (const std::string algorithm :
       {"easgd", "eamsgd", "downpour", "easgd_gauss_seidel", "admm", "mdownpour", "adownpour",
        "easgd_tree", "sma", "diloco", "local_sgd", "lookahead", "allreduce"}) {
    const Algorithm& entry = Registry<Algorithm>::get(algorithm);
    const bool pairs = entry.timing == Timing::around;
    for (const auto order : {pairs ? round_robin_pairs : round_robin_order, synchronous_order}) {
      const bool synchronous = order == synchronous_order;
      if (entry.exchange == (synchronous ? Exchange::asynchronous : Exchange::synchronous))
        continue;
      CAPTURE(algorithm);
      CAPTURE(synchronous);
      const Outcome cpu = run(algorithm, order, Where::cpu);
      CHECK(cpu.refused >= 1);
      for (const Where where :
           {Where::cuda, Where::cuda, Where::cuda_and_center, Where::cuda_and_center}) {
        check_same(run(algorithm, order, where), cpu);
      }
    }
  }
}

TEST_CASE("a center on every worker's device ends where one in host memory does") {
  int algorithms = 0;
  for (const std::string& name : Registry<Algorithm>::names()) {
    if (!Registry<Algorithm>::get(name).absorbs_sums) continue;
    CAPTURE(name);
    ++algorithms;
    for (const std::uint64_t fails_at : {WorkerSchedule::kEndless, std::uint64_t{13}}) {
      CAPTURE(fails_at);
      const Outcome cpu = run(name, synchronous_order, Where::cpu, fails_at);
      CHECK(cpu.refused >= 1);
      check_same(run(name, synchronous_order, Where::cuda_everywhere, fails_at), cpu);
    }
  }
  CHECK(algorithms == 11);
}

TEST_CASE("a device that breaks in a sum lets everybody go, and the center is still whole") {
  constexpr std::size_t kWorkers = 3;
  for (const int breaks : {0, 2}) {
    CAPTURE(breaks);
    fake_cuda::set_devices(kWorkers);
    quadratic::Toy toy;
    toy.workers = kWorkers;
    toy.order = synchronous_order;
    toy.config.algorithm.name = "easgd";
    toy.config.algorithm.tau = 2;
    toy.config.algorithm.learning_rate = 0.02;
    toy.config.algorithm.alpha = 0.2;
    toy.config.stop.steps = 1'000'000'000;
    std::vector<cuda::CudaBackend*> sites;
    std::vector<float> last(kParameters);
    toy.on_version = [&](const CenterView& view) {
      view.copy_to(last);
      if (view.version == 29) fake_cuda::break_device_in_sum(sites[std::size_t(breaks)]->compute());
    };
    toy.change = [&](TeamOptions& options) {
      place_everywhere(options);
      for (std::size_t i = 0; i < kWorkers; ++i) {
        options.placement.devices[i] = [&sites, i] {
          auto backend = std::make_unique<cuda::CudaBackend>(BackendOptions{.index = int(i)});
          sites.push_back(backend.get());
          return backend;
        };
      }
    };
    const Buffer state0 = quadratic::start_vector(kParameters);
    const WorkerSchedule schedule(toy.config, kWorkers, 1);
    Team team(toy.options(schedule, state0));
    team.start();
    CHECK_THROWS_AS(team.join(), DeviceError);
    CHECK(team.failed() == 0);
    CHECK_FALSE(team.master().is_lost());
    const CenterView view = team.master().view();
    CHECK(view.version == 29);  // one letter was refused
    CHECK(std::vector<float>(view.center.begin(), view.center.end()) == last);
    fake_cuda::set_devices(1);
  }
}

TEST_CASE("a worker whose device breaks ends alone, wherever that meets it") {
  constexpr std::size_t kWorkers = 3;
  for (const char* name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    for (const std::uint64_t step : {0, 4, 5}) {
      CAPTURE(name);
      CAPTURE(step);
      quadratic::Toy toy;
      toy.workers = kWorkers;
      toy.order = free_order;
      toy.config.algorithm.name = name;
      toy.config.algorithm.tau = 2;
      toy.config.algorithm.learning_rate = 0.01;
      if (Registry<Algorithm>::get(name).coupling != Coupling::none) {
        toy.config.algorithm.alpha = 0.2;
      }
      toy.config.stop.steps = 30;
      std::string told;
      toy.on_failure = [&told](int worker, const std::string& why) {
        told += std::to_string(worker) + ": " + why;
      };
      toy.change = [step](TeamOptions& options) {
        for (WorkerParts& parts : options.workers) {
          parts.backend = [] { return std::make_unique<cuda::CudaBackend>(BackendOptions{}); };
          parts.model = [step](Backend& b) {
            auto model = b.compile(testing::make_network({1, 1, 1}, 2, "linear outputs=2"), {});
            dynamic_cast<StreamModel&>(*model).breaks_at = step;
            return model;
          };
        }
      };
      const Buffer state0 = quadratic::start_vector(kParameters);
      const WorkerSchedule schedule(toy.config, kWorkers, 1);
      Team team(toy.options(schedule, state0));
      team.start();
      team.join();
      CHECK(team.failed() == 1);
      CHECK(told.starts_with("1: cuda:0: "));
      CHECK(team.telemetry(1).clock <= step + 3);
      CHECK(team.telemetry(0).clock == 30);
      CHECK(team.telemetry(2).clock == 30);
    }
  }
}

TEST_CASE("a letter and a reply leave the worker free while they are on their way") {
  cuda::CudaBackend backend(BackendOptions{});
  const Buffer x = backend.allocate(kParameters), letter = backend.allocate_mailbox(kParameters);
  const Buffer reply = backend.allocate_mailbox(kParameters);
  std::ranges::fill(reply.view(), 2.0f);
  std::atomic<bool> posted = false;
  fake_cuda::hold_copies(true);
  backend.letters().post(std::vector<ConstView>{x}, letter,
                         [&] { posted = true; });  // would hang here if it waited
  const ConstView fetched = backend.letters().fetch(reply);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK_FALSE(posted);
  fake_cuda::hold_copies(false);
  backend.letters().wait_posted();
  CHECK(posted);
  std::vector<float> arrived(kParameters);
  backend.download(fetched, arrived);
  CHECK(arrived == std::vector<float>(kParameters, 2.0f));
}

TEST_CASE("a device that fails is waited for with both its lanes before that is reported") {
  cuda::CudaBackend backend(BackendOptions{});
  const Buffer x = backend.allocate(kParameters), letter = backend.allocate_mailbox(kParameters);
  std::atomic<bool> posted = false;
  fake_cuda::hold_copies(true);
  backend.letters().post(std::vector<ConstView>{x}, letter, [&] { posted = true; });
  std::jthread later([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    fake_cuda::hold_copies(false);
  });
  fake_cuda::fail_next_wait(backend.compute());
  CHECK_THROWS_AS(backend.finish(), DeviceError);
  CHECK(posted);
  backend.finish();
}

TEST_CASE("several parts leave as one letter, and those after the first may be written at once") {
  cuda::CudaBackend backend(BackendOptions{});
  const Buffer x = backend.allocate(3), statistics = backend.allocate(2), v = backend.allocate(4);
  const Buffer letter = backend.allocate_mailbox(9);
  const std::vector<float> wanted{1, 2, 3, 4, 5, 6, 7, 8, 9}, others(4, -1);
  for (const int parts : {3, 2, 3, 1}) {
    CAPTURE(parts);
    backend.upload(ConstView(wanted).first(3), x);
    backend.upload(ConstView(wanted).subspan(3, 2), statistics);
    backend.upload(ConstView(wanted).last(4), v);
    const std::vector<ConstView> all{x, statistics, v};
    const std::size_t count = parts == 3 ? 9 : parts == 2 ? 5 : 3;
    std::ranges::fill(letter.view(), 0.0f);
    backend.letters().post(std::span(all).first(std::size_t(parts)), letter.view().first(count),
                           [] {});
    backend.upload(ConstView(others).first(2), statistics);
    backend.upload(others, v);
    backend.letters().wait_posted();
    CHECK(std::ranges::equal(letter.view().first(count), ConstView(wanted).first(count)));
  }
}

TEST_CASE("copies between vectors of different sizes are a mistake, not an overrun") {
  cuda::CudaBackend backend(BackendOptions{});
  const Buffer three = backend.allocate(3), pinned = backend.allocate_mailbox(2);
  CHECK_THROWS_AS(backend.upload(pinned, three), Bug);
  CHECK_THROWS_AS(backend.download(three, pinned), Bug);
  CHECK_THROWS_AS(backend.start_download(three, pinned), Bug);
  const std::vector<ConstView> parts{three};
  CHECK_THROWS_AS(backend.letters().post(parts, pinned, [] {}), Bug);
}

TEST_CASE("sums over devices are refused to backends that are none of CUDA's") {
  const auto cpu = make_backend("cpu");
  Backend* const backends[] = {cpu.get()};
  CHECK_THROWS_AS(Registry<MakeCollective>::get("cuda")(backends), Bug);
}

TEST_CASE("the lock of all devices is refused to who holds one, instead of waiting for ever") {
  const cuda::DeviceSyncLock lock(0);
  CHECK_THROWS_AS(cuda::AllDevicesLock(), Bug);
}

TEST_CASE("a worker's wait for a reply is the time for which its compute stream stands still") {
  using std::chrono::milliseconds;
  cuda::CudaBackend backend(BackendOptions{});
  const Buffer x = backend.allocate(kParameters);
  const Buffer letter = backend.allocate_mailbox(kParameters),
               reply = backend.allocate_mailbox(kParameters);
  const auto model = backend.compile(testing::make_network({1, 1, 1}, 2, "linear outputs=2"), {});
  const auto exchange = [&](milliseconds gradient, milliseconds master) {
    backend.letters().post(std::vector<ConstView>{x}, letter, [] {});
    static_cast<StreamModel&>(*model).enqueue([=] { std::this_thread::sleep_for(gradient); });
    backend.letters().wait_posted();
    std::this_thread::sleep_for(master);
    backend.letters().fetch(reply);
  };
  for (int i = 0; i < 4; ++i) exchange(milliseconds(60), milliseconds(5));  // hidden
  backend.finish();
  const double hidden = *backend.letters().reply_stall_seconds();
  for (int i = 0; i < 4; ++i) exchange(milliseconds(5), milliseconds(60));
  backend.finish();
  const double seen = *backend.letters().reply_stall_seconds() - hidden;
  CHECK(seen > hidden);
  CHECK(seen > 4 * 0.05);
}

TEST_CASE("peer access is used only where what is sent arrives") {
  fake_cuda::set_devices(3);
  fake_cuda::deny_peer(0, 1);
  fake_cuda::spoil_path(0, 2);
  fake_cuda::spoil_path(1, 2);
  const BackendKind& cuda_kind = Registry<BackendKind>::get("cuda");
  CHECK(cuda_kind.open_peer(1, 0));
  CHECK(cuda_kind.open_peer(1, 0));  // again: it is open
  CHECK(cuda_kind.open_peer(2, 0));
  CHECK_FALSE(cuda_kind.open_peer(0, 1));
  CHECK_FALSE(cuda_kind.open_peer(0, 2));
  CHECK(cuda_kind.open_peer(1, 1));

  const std::vector<DevicePath> all = cuda_kind.measure_paths();
  CHECK(all.size() == 12);
  for (const DevicePath& path : all) {
    CAPTURE(path.from + " to " + path.to);
    CHECK(path.speed > 0);
    CHECK(path.exact);  // what does not work by peer access works through the host
    const bool works = (path.from == "cuda:1" && path.to == "cuda:0") ||
                       (path.from == "cuda:2" && path.to != "host");
    CHECK(path.peer == works);
  }
  fake_cuda::mend();
}

TEST_CASE("a center on devices is tried before it is used, and what does not work is told") {
  fake_cuda::set_devices(2);
  Config config;
  config.algorithm.name = "easgd";
  config.algorithm.exchange = Exchange::synchronous;
  const std::vector<Placement> workers{{"cuda", {.index = 0}}, {"cuda", {.index = 1}}};
  const auto place = [&](const char* where) {
    config.center.place = where;
    return place_center(config, workers);
  };
  CHECK(place("cuda:1").routes == std::vector(2, Route::peer));
  CHECK(place("cuda:1").remark.empty());
  const int urgent = fake_cuda::urgent_streams();
  place("cuda:1").devices[0]();
  CHECK(fake_cuda::urgent_streams() == urgent + 1);
  for (const char* where : {"auto", "workers"}) {
    const CenterPlacement center = place(where);
    CHECK(center.name == "workers");
    CHECK(center.devices.size() == 2);
    CHECK(center.routes == std::vector(2, Route::peer));
    CHECK(center.remark.empty());
  }

  fake_cuda::deny_peer(0, 1);
  fake_cuda::spoil_sums();
  const CenterPlacement staged = place("cuda:1"), instead = place("auto");
  CHECK(staged.routes == std::vector{Route::staged, Route::peer});
  CHECK(staged.remark ==
        "letters of cuda:0 go to cuda:1 through host memory: no peer access that is exact");
  CHECK(instead.name == "pinned");
  CHECK(instead.remark ==
        "a sum over devices was wrong on cuda:1; letters are added up in host memory instead");
  CHECK_THROWS_AS(place("workers"), DeviceError);
  fake_cuda::mend();
}

namespace {

/// Two devices, and a vector of ones on each that is added up.
struct Sums {
  static constexpr std::size_t kCount = 100;
  std::vector<std::unique_ptr<Backend>> made;
  std::vector<Backend*> backends;
  std::vector<Buffer> terms, sums;
  std::unique_ptr<Collective> collective;

  Sums() {
    fake_cuda::set_devices(2);
    for (int i = 0; i < 2; ++i) {
      backends.push_back(made.emplace_back(on_device(i)()).get());
      terms.push_back(backends[std::size_t(i)]->allocate(kCount));
      sums.push_back(backends[std::size_t(i)]->allocate(kCount));
      backends.back()->upload(std::vector<float>(kCount, 1), terms.back());
    }
    collective = Registry<MakeCollective>::get("cuda")(backends);
  }
  ~Sums() { fake_cuda::mend(); }

  void start() {
    collective->sum(std::vector<ConstView>(terms.begin(), terms.end()),
                    std::vector<View>(sums.begin(), sums.end()));
  }
};

}  // namespace

TEST_CASE("a sum over devices that does not end is given up") {
  std::vector<float> from(1), to(1);
  Sums sums;
  sums.start();
  sums.collective->finish();
  sums.collective->longest = std::chrono::milliseconds(50);
  fake_cuda::hold_copies(true);
  auto& stuck = static_cast<cuda::CudaBackend&>(*sums.backends[1]);
  cuda::copy(from.data(), to.data(), sizeof(float), stuck.compute());
  sums.start();
  CHECK_THROWS_WITH_AS(
      sums.collective->finish(),
      "NCCL: a sum over devices has not ended for 0.05s; center.place = \"pinned\" "
      "does without",
      DeviceError);
  sums.collective.reset();
  fake_cuda::hold_copies(false);
}

TEST_CASE("nothing that may wait for a device meets a sum that is being started") {
  Sums sums;
  const int before = fake_cuda::waits_while_sums_start();
  std::atomic<int> turns = 0;
  std::jthread other([&turns](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      cuda::device_buffer(10);
      cuda::pinned_buffer(10);
      std::thread([] {  // a thread's first launches load kernels
        const auto backend = on_device(0)();
        const Buffer x = backend->allocate(10);
        backend->start_distance(x, {});
        CHECK(backend->squared_distance() == 0);
      })
          .join();
      ++turns;
    }
  });
  for (int i = 0; i < 50 || turns < 30; ++i) {
    for (int sum = 0; sum < 4; ++sum) sums.start();  // one after the other, so that loads meet one
    sums.collective->finish();
  }
  other = {};
  CHECK(fake_cuda::waits_while_sums_start() == before);
}

TEST_CASE("a device's lock keeps out others of that device, and nobody elsewhere but a sum") {
  std::promise<void> go_on;
  std::atomic<bool> inside = false, there = false, everywhere = false;
  std::jthread first([&, go = go_on.get_future()] {
    const cuda::DeviceSyncLock lock(0);
    { const cuda::DeviceSyncLock nested(0); }
    inside = true;
    inside.notify_one();
    go.wait();
    CHECK(!there);
    CHECK(!everywhere);
  });
  inside.wait(false);
  std::thread([] { const cuda::DeviceSyncLock lock(1); }).join();  // would wait for ever
  std::jthread second([&] {
    const cuda::DeviceSyncLock lock(0);
    there = true;
    CHECK(!everywhere);
  });
  std::jthread sum([&] {
    const cuda::AllDevicesLock lock;
    { const cuda::DeviceSyncLock nested(0); }
    everywhere = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    everywhere = false;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  go_on.set_value();
}

TEST_CASE("batches arrive whole, as images or cut on the device out of a set that it keeps") {
  constexpr std::size_t kBatch = 5;
  constexpr std::uint64_t kSteps = 80;
  const ImageTable set = testing::image_table({3, 6, 7}, 30);
  LoaderOptions options{.batch = kBatch, .crop = {.side = 5, .pad = 2, .flip = true}, .limit = 27};
  options.normalisation = {{0.4f, 0.5f, 0.6f}, {0.2f, 0.3f, 0.4f}};
  options.spawn = [](const std::function<void()>& task) { task(); };
  Loader wanted(set, options);
  for (const bool crops : {false, true}) {
    CAPTURE(crops);
    options.resident = crops;
    Loader batches(set, options);
    const auto stream = cuda::make_stream("test");
    struct Seen {
      std::vector<float> images;
      std::vector<std::int32_t> labels;
      std::uint64_t step = 0;
    };
    std::vector<Seen> seen(kSteps);
    {
      cuda::Input input(batches.shape(), kBatch, stream);
      for (std::uint64_t step = 0; step < kSteps; ++step) {
        const Batch& batch = batches.next(step);
        CHECK(batch.images.empty() == crops);
        const cuda::Arrived there = input.load(batch);
        input.crop();
        fake_cuda::enqueue(stream, [=, &to = seen[step], size = batches.shape().size()] {
          to.images.assign(there.images, there.images + kBatch * size);
          to.labels.assign(there.labels, there.labels + kBatch);
          to.step = *there.step;
        });
        input.unload();
      }
    }
    std::size_t over_the_edge = 0;
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      const Batch& batch = wanted.next(step);
      CHECK(std::ranges::equal(seen[step].images, batch.images));
      CHECK(std::ranges::equal(seen[step].labels, batch.labels));
      CHECK(seen[step].step == step);
      over_the_edge += std::ranges::count(batch.images, -2.0f);  // level 0 of the first channel
    }
    CHECK(over_the_edge > 100);
  }
  const cuda::CudaBackend backend({.index = 0});
  CHECK(backend.can_hold(1000));  // a quarter of the 4000 bytes that are free there
  CHECK_FALSE(backend.can_hold(1001));
}

TEST_CASE("losses and ranks arrive in order, however late they are asked for") {
  const auto stream = cuda::make_stream("test");
  cuda::LossReadback readback(3, stream);
  Tally sum;
  std::int64_t hits = 0, top5_hits = 0, samples = 0;
  double loss = 0;
  for (int step = 0; step < 300; ++step) {
    const int count = step % 3 + 1;
    fake_cuda::enqueue(stream, [=, losses = readback.losses(), ranks = readback.ranks()] {
      for (int i = 0; i < 3; ++i) losses[i] = step + 0.25 * i, ranks[i] = (step + i) % 7;
    });
    readback.send(count);
    for (int i = 0; i < count; ++i) {
      loss += step + 0.25 * i;
      hits += (step + i) % 7 == 0;
      top5_hits += (step + i) % 7 < 5;
    }
    samples += count;
    if (step % 100 == 50) sum += readback.take();
  }
  cudaStreamSynchronize(stream);
  sum += readback.take();
  CHECK(sum.loss == loss);
  CHECK(sum.hits == hits);
  CHECK(sum.top5_hits == top5_hits);
  CHECK(sum.samples == samples);
  CHECK(readback.take().samples == 0);
}

TEST_CASE("work is called once, recorded once and then repeated, each key's for itself") {
  const auto stream = cuda::make_stream("test");
  cuda::Graphs graphs(stream);
  int calls[12] = {}, runs[12] = {};
  const auto run = [&](int k) {
    graphs.run({&calls[k], nullptr, nullptr, nullptr}, [&] {
      ++calls[k];
      fake_cuda::enqueue(stream, [&runs, k] { ++runs[k]; });
      fake_cuda::enqueue(stream, [&runs, k] { runs[k] += 100; });
    });
  };
  for (int round = 0; round < 5; ++round) {
    for (int k = 0; k < 12; ++k) run(k);
  }
  cudaStreamSynchronize(stream);
  for (int k = 0; k < 12; ++k) {
    CAPTURE(k);
    CHECK(calls[k] == (k < 8 ? 2 : 5));  // no more than eight are kept
    CHECK(runs[k] == 5 * 101);
  }
}

TEST_CASE("a record that is ruined is made again, three times") {
  cuda::check(cudaSetDevice(0), "cudaSetDevice");
  const auto stream = cuda::make_stream("test");
  for (const int ruined : {1, 3, 4}) {
    CAPTURE(ruined);
    cuda::Graphs graphs(stream);
    int runs = 0, calls = 0;
    const auto work = [&] {
      ++calls;
      fake_cuda::enqueue(stream, [&runs] { ++runs; });
    };
    fake_cuda::ruin_records(ruined);
    graphs.run({}, work);
    for (int k = 0; k < std::min(ruined, 3); ++k) graphs.run({}, work);
    if (ruined == 4) {
      CHECK_THROWS_WITH_AS(graphs.run({}, work),
                           "cuda:0: a CUDA graph cannot be recorded (workers.graphs = false does "
                           "without): an error",
                           DeviceError);
      cudaStreamSynchronize(stream);
      continue;
    }
    const int before = calls;
    for (int k = 0; k < 3; ++k) graphs.run({}, work);
    CHECK(calls == before + 1);
    cudaStreamSynchronize(stream);
    CHECK(runs == 1 + ruined + 3);
  }
}

TEST_CASE("work that fails while it is recorded leaves the stream as it was") {
  const auto stream = cuda::make_stream("test");
  cuda::Graphs graphs(stream);
  int runs = 0;
  bool fails = false;
  const auto work = [&] {
    fake_cuda::enqueue(stream, [&runs] { ++runs; });
    if (fails) throw std::runtime_error("a test");
  };
  graphs.run({}, work);
  fails = true;
  CHECK_THROWS_WITH(graphs.run({}, work), "a test");
  fails = false;
  graphs.run({}, work);
  graphs.run({}, work);
  cudaStreamSynchronize(stream);
  CHECK(runs == 3);
}
