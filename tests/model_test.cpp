// What a compiled network promises beyond right derivatives: fusion changes nothing, masks are
// functions of counters, short batches count right, teams agree, the step loop allocates nothing.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <new>
#include <string_view>
#include <thread>

#include "algorithms/algorithm.h"
#include "backend/backend_kind.h"
#include "backend/cpu/cpu_model.h"
#include "base/check.h"
#include "base/error.h"
#include "data/dataset_reader.h"
#include "data/loader.h"
#include "kernels/fft_conv2d.h"
#include "network_spec.h"
#include "random_batch.h"
#include "relative.h"

namespace {
/// Allocations of the calling thread while `counting`, by code of ours and by oneDNN and TBB, which
/// make a few small maps, pointers and tasks at every execution.
thread_local bool counting = false;
thread_local std::size_t our_allocations = 0, library_allocations = 0;

void* counted(void* memory, void* caller) {
  if (!memory) throw std::bad_alloc();
  if (!counting) return memory;
  Dl_info library{};
  const bool known = dladdr(caller, &library) != 0 && library.dli_fname;
  const std::string_view name = known ? library.dli_fname : "";
  const bool foreign = name.find("dnnl") != name.npos || name.find("tbb") != name.npos;
  ++(foreign ? library_allocations : our_allocations);
  return memory;
}
}  // namespace

// For the whole test program. Inlined, they would seem to free what they have not allocated.
void* operator new(std::size_t size) {
  return counted(std::malloc(size ? size : 1), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t align) {
  const auto a = std::size_t(align);
  return counted(std::aligned_alloc(a, (size + a - 1) / a * a), __builtin_return_address(0));
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which have their own
/// Large buffers come from here (base/view.h).
void* mmap(void* at, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
  const long pages = syscall(SYS_mmap, at, size, protection, flags, file, offset);
  return counted(reinterpret_cast<void*>(pages), __builtin_return_address(0));
}
#endif

namespace easgd::testing {
namespace {

constexpr const char* kCifar =
    "conv channels=16 kernel=5; relu; maxpool; conv channels=32 kernel=5; relu; maxpool; "
    "conv channels=16 kernel=3; relu; dropout; linear outputs=32; relu; dropout; linear outputs=10";

/// Calls f(backend) on a thread with a team of its own, as every worker has one.
template <class Function>
void on_cpu(int threads, const Function& f) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      BackendOptions options;
      options.threads = threads;
      f(*make_backend("cpu", options));
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

struct Answer {
  std::vector<float> gradient;
  Tally tally;
};

Answer gradient_of(Backend& backend, const Network& network, const ModelOptions& options,
                   const Batch& batch, const std::vector<float>& x) {
  Answer answer{std::vector<float>(x.size()), {}};
  const auto model = backend.compile(network, options);
  model->gradient(x, batch, answer.gradient, {});
  answer.tally = model->take_tally();
  return answer;
}

/// Largest difference, relative to the largest element.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(double(a[i]) - double(b[i])));
    largest = std::max(largest, std::abs(double(b[i])));
  }
  return worst / largest;
}

TEST_CASE("model: conv, relu, maxpool in another order and fused compute the same") {
  // Dropout of nothing between two layers keeps them from being fused or exchanged.
  const char* fused =
      "conv channels=8 kernel=3; relu; maxpool; conv channels=9 kernel=3; relu; "
      "linear outputs=12; relu; linear outputs=4";
  const char* apart =
      "conv channels=8 kernel=3; dropout rate=0; relu; dropout rate=0; maxpool; "
      "conv channels=9 kernel=3; dropout rate=0; relu; "
      "linear outputs=12; dropout rate=0; relu; linear outputs=4";
  on_cpu(1, [&](Backend& cpu) {
    const Network one = make_network({3, 14, 14}, 4, fused),
                  other = make_network({3, 14, 14}, 4, apart);
    const RandomBatch data(one, 5);
    const std::vector<float> x = random_parameters(one);
    const Answer a = gradient_of(cpu, one, {.batch = 5}, data.batch, x);
    const Answer b = gradient_of(cpu, other, {.batch = 5}, data.batch, x);
    CHECK(relative_difference(a.tally.loss, b.tally.loss) < 1e-6);
    CHECK(difference(a.gradient, b.gradient) < 1e-6);
  });
}

/// The mask of a dropout layer, read off the gradient of a linear layer after it: images are ones
/// and all scores equal, so element i of sample n has a gradient where it was kept.
std::vector<float> kept_fraction_seen(Backend& cpu, std::uint64_t step, std::uint32_t worker,
                                      std::uint64_t seed, float rate, std::size_t elements) {
  const Network network = make_network(
      {int(elements), 1, 1}, 2, "dropout rate=" + std::to_string(rate) + "; linear outputs=2");
  RandomBatch data(network, 1);
  std::fill(data.images.begin(), data.images.end(), 1.0f);
  data.labels[0] = 0;
  data.batch.step = step;
  data.batch.worker = worker;
  std::vector<float> g = gradient_of(cpu, network, {.batch = 1, .seed = seed}, data.batch,
                                     std::vector<float>(network.parameter_count()))
                             .gradient;
  g.resize(elements);  // the weights of the first class: -1/2 times the scaled mask
  for (float& v : g) v *= -2;
  return g;
}

TEST_CASE("model: dropout masks have the right mean and are functions of their counters") {
  on_cpu(1, [](Backend& cpu) {
    constexpr std::size_t kElements = 40000;
    for (const float rate : {0.1f, 0.5f, 0.9f}) {
      const auto mask = kept_fraction_seen(cpu, 5, 2, 7, rate, kElements);
      double sum = 0;
      std::size_t kept = 0;
      for (const float m : mask) {
        CHECK_MESSAGE((m == 0 || std::abs(m * (1 - rate) - 1) < 1e-5), m);
        sum += m;
        kept += m != 0;
      }
      const double deviation = std::sqrt(rate * (1 - rate) / kElements);
      CHECK(std::abs(double(kept) / kElements - (1 - rate)) < 5 * deviation);
      CHECK(std::abs(sum / kElements - 1) < 5 * deviation / (1 - rate));
    }
    const auto mask = [&](std::uint64_t step, std::uint32_t worker, std::uint64_t seed) {
      return kept_fraction_seen(cpu, step, worker, seed, 0.5f, 256);
    };
    CHECK(mask(5, 2, 7) == mask(5, 2, 7));
    CHECK(mask(5, 2, 7) != mask(6, 2, 7));
    CHECK(mask(5, 2, 7) != mask(5, 3, 7));
    CHECK(mask(5, 2, 7) != mask(5, 2, 8));
    CHECK(mask(5, 2, 7) != mask(5 + (std::uint64_t{1} << 32), 2, 7));
  });
}

TEST_CASE("model: evaluation has no dropout, and a sample's loss depends on it alone") {
  on_cpu(1, [](Backend& cpu) {
    const Network network = make_network({3, 28, 28}, 10, kCifar);
    const RandomBatch data(network, 21);
    const std::vector<float> x = random_parameters(network);
    const auto model = cpu.compile(network, {.batch = 8});
    const auto evaluator = cpu.compile(network, {.batch = 8, .training = false});
    const auto evaluate = [&](Model& m, const Batch& batch) {
      m.evaluate(x, batch);
      return m.take_tally();
    };
    Tally whole, single;
    for (std::size_t i = 0; i < 21; i += 8) {
      whole += evaluate(*model, data.part(i, std::min<std::size_t>(i + 8, 21)));
    }
    for (std::size_t i = 0; i < 21; ++i) single += evaluate(*evaluator, data.part(i, i + 1));
    CHECK(whole.samples == 21);
    CHECK(single.samples == 21);
    CHECK(whole.hits == single.hits);
    CHECK(relative_difference(whole.loss, single.loss) < 1e-6);
    CHECK(evaluator->memory() < model->memory());
  });
}

TEST_CASE("model: a hit among the five highest scores, by ties and NaNs as a hit") {
  on_cpu(1, [](Backend& cpu) {
    const Network network = make_network({2, 1, 1}, 12, "linear outputs=12");
    RandomBatch data(network, 1);
    const auto model = cpu.compile(network, {.batch = 1});
    const auto evaluate = [&](int label, const std::vector<float>& scores) {
      std::vector<float> x(network.parameter_count());
      std::copy(scores.begin(), scores.end(), x.end() - 12);  // the biases
      data.labels[0] = label;
      model->evaluate(x, data.batch);
      return model->take_tally();
    };
    std::vector<float> scores(12);
    for (int k = 0; k < 12; ++k) scores[std::size_t(k)] = float(7 * k % 12);  // a permutation
    for (int label = 0; label < 12; ++label) {
      const Tally tally = evaluate(label, scores);
      CHECK(tally.hits == (7 * label % 12 == 11));
      CHECK(tally.top5_hits == (7 * label % 12 >= 7));
      CHECK(tally.top5_error(12) == 1 - double(tally.top5_hits));
      CHECK_FALSE(tally.top5_error(10));
    }
    for (int label = 0; label < 12; ++label) {
      CHECK(evaluate(label, std::vector<float>(12)).top5_hits == (label < 5));
    }
    scores[3] = std::nanf("");
    CHECK(evaluate(5, scores).top5_hits == 0);
  });
}

TEST_CASE("model: hits go to the lower class in a tie, and never to a NaN") {
  on_cpu(1, [](Backend& cpu) {
    const Network network = make_network({2, 1, 1}, 3, "linear outputs=3");
    RandomBatch data(network, 1);
    const auto model = cpu.compile(network, {.batch = 1});
    const auto evaluate = [&](int label, std::vector<float> scores) {
      std::vector<float> x(network.parameter_count());
      std::copy(scores.begin(), scores.end(), x.end() - 3);  // the biases
      data.labels[0] = label;
      model->evaluate(x, data.batch);
      return model->take_tally();
    };
    CHECK(evaluate(0, {1, 1, 0}).hits == 1);
    CHECK(evaluate(1, {1, 1, 0}).hits == 0);
    CHECK(evaluate(2, {1, 1, 3}).hits == 1);
    const float nan = std::nanf("");
    for (const int label : {0, 1, 2}) {
      CHECK(evaluate(label, {nan, nan, nan}).hits == 0);
      CHECK(evaluate(label, {0, nan, 5}).hits == 0);
      CHECK(std::isnan(evaluate(label, {0, nan, 5}).loss));
    }
    CHECK(evaluate(1, {2000, -2000, 0}).loss == 4000);
    CHECK(evaluate(0, {2000, -2000, 0}).loss == 0);
  });
}

TEST_CASE("model: teams agree, and one team repeats itself bit for bit") {
  const Network network = make_network({3, 28, 28}, 10, kCifar);
  const RandomBatch data(network, 24);
  const std::vector<float> x = random_parameters(network);
  const auto answer = [&](int threads) {
    Answer a;
    on_cpu(threads, [&](Backend& cpu) {
      a = gradient_of(cpu, network, {.batch = 24, .seed = 3}, data.batch, x);
    });
    return a;
  };
  const Answer one = answer(1), two = answer(2), three = answer(3);
  CHECK(difference(two.gradient, one.gradient) < 1e-5);
  CHECK(difference(three.gradient, one.gradient) < 1e-5);
  CHECK(relative_difference(two.tally.loss, one.tally.loss) < 1e-6);
  CHECK(two.tally.hits == one.tally.hits);
  CHECK(answer(1).gradient == one.gradient);
  CHECK(answer(2).gradient == two.gradient);
}

/// With this batch the second convolution of kCifar goes through FFT.
constexpr std::size_t kFftBatch = 24;

void require_fft(const Network& network) {
  const Shape in = network.stages()[3].input, out = network.stages()[3].output;
  REQUIRE(network.stages()[3].layer->kind() == "conv");
  REQUIRE(kernels::FftConv2d::worth_it(
      {int(kFftBatch), in.channels, in.height, in.width, out.channels, 5, 5, 0}));
}

TEST_CASE("cpu: a model takes the memory that is predicted") {
  const Network network = make_network({3, 28, 28}, 10, kCifar);
  require_fft(network);
  for (const int threads : {1, 2, 3}) {
    CAPTURE(threads);
    cpu::Crew crew(threads);
    for (const bool training : {true, false}) {
      const ModelOptions options = {.batch = 3 * kFftBatch, .training = training};
      const cpu::CpuModel model(network, options, crew);
      const std::size_t predicted = cpu::CpuModel::predict_memory(network, options, threads);
      CHECK(relative_difference(double(predicted), double(model.memory())) < 0.01);
    }
  }
}

TEST_CASE("model: a step allocates nothing, and takes parameters at any address") {
  on_cpu(1, [](Backend& cpu) {
    const Network network = make_network({3, 28, 28}, 10, kCifar);
    require_fft(network);
    const RandomBatch data(network, kFftBatch);
    const std::vector<float> x = random_parameters(network), moved = x;
    std::vector<float> g(x.size()), again(x.size());
    const auto model = cpu.compile(network, {.batch = kFftBatch});
    model->gradient(x, data.batch, g, {});
    our_allocations = library_allocations = 0;
    counting = true;
    model->gradient(moved, data.batch, again, {});
    model->evaluate(x, data.part(0, 3));
    counting = false;
    CHECK(g == again);
    CHECK(our_allocations == 0);
    MESSAGE("oneDNN's own allocations in a step and an evaluation: " << library_allocations);
  });
}

TEST_CASE("model: a worker's step from batch to letter to reply allocates nothing") {
  on_cpu(1, [](Backend& cpu) {
    const Network network = make_network({3, 28, 28}, 10, kCifar);
    require_fft(network);
    const DataSplit split = read_dataset("synthetic", {"", 1});
    LoaderOptions options;
    options.batch = kFftBatch;
    options.crop.side = 28;
    options.crop.flip = true;
    options.normalisation = {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}};
    Loader loader(*split.train, options);
    const std::vector<float> x = random_parameters(network);
    const auto model = cpu.compile(network, {.batch = kFftBatch});
    const auto rule = Registry<Algorithm>::get("eamsgd").worker(cpu, {}, x);
    const Buffer g = cpu.allocate(x.size()), letter = cpu.allocate_mailbox(x.size()),
                 reply = cpu.allocate_mailbox(x.size());
    const auto step = [&](std::uint64_t clock) {
      const Batch& batch = loader.next(clock);
      const ConstView parts[] = {rule->letter()};
      cpu.letters().post(parts, letter, [] {});
      model->gradient(rule->gradient_point(), batch, g, {});
      rule->step(g, cpu.letters().fetch(reply), {0.01f, 0.9f, 1e-4f});
    };
    std::uint64_t clock = 0;
    while (clock < 10) step(clock++);
    our_allocations = library_allocations = 0;
    counting = true;
    while (clock < 20) step(clock++);
    counting = false;
    CHECK(our_allocations == 0);
    MESSAGE("allocations of oneDNN and TBB in ten steps: " << library_allocations);
  });
}

TEST_CASE("model: bf16 is close to f32, or refused with a reason") {
  const Network network = make_network({3, 28, 28}, 10, kCifar);
  const RandomBatch data(network, 16);
  const std::vector<float> x = random_parameters(network);
  on_cpu(1, [&](Backend& cpu) {
    CHECK_THROWS_WITH_AS(cpu.compile(network, {.batch = 16, .precision = "tf32"}),
                         "workers.precision: the CPU has no \"tf32\": use \"f32\" or \"bf16\"",
                         ConfigError);
    try {
      const Answer narrow =
          gradient_of(cpu, network, {.batch = 16, .precision = "bf16"}, data.batch, x);
      const Answer wide = gradient_of(cpu, network, {.batch = 16}, data.batch, x);
      CHECK(relative_difference(narrow.tally.loss, wide.tally.loss) < 2e-2);
      CHECK(difference(narrow.gradient, wide.gradient) < 2e-2);
    } catch (const ConfigError& e) {
      const std::string line = e.what();
      MESSAGE("skipped: " << line);
      CHECK(line.find("workers.precision: \"bf16\" needs") == 0);
    }
  });
}

TEST_CASE("cpu: a fused pass reaches every element, whatever the team") {
  for (const int threads : {1, 2, 3}) {
    on_cpu(threads, [](Backend& cpu) {
      for (const std::size_t count : {std::size_t{1}, std::size_t{1000}, std::size_t{1000003}}) {
        const Buffer x = cpu.allocate(count), g = cpu.allocate(count), e = cpu.allocate(count);
        for (std::size_t i = 0; i < count; ++i) {
          x.data()[i] = 1, g.data()[i] = float(i % 7), e.data()[i] = 0.25f;
        }
        cpu.run(kernels::SgdStep{x.data(), g.data(), e.data(), 0.5f, 0}, count);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < count; ++i) wrong += x.data()[i] != 0.75f - 0.5f * float(i % 7);
        CHECK(wrong == 0);
      }
    });
  }
}

TEST_CASE("cpu: copies between vectors of different sizes are a mistake, not an overrun") {
  on_cpu(1, [](Backend& cpu) {
    const Buffer two = cpu.allocate(2), three = cpu.allocate(3);
    CHECK_THROWS_AS(cpu.upload(two, three), Bug);
    CHECK_THROWS_AS(cpu.upload(three, two), Bug);
    CHECK_THROWS_AS(cpu.download(three, two), Bug);
    const ConstView parts[] = {two, three};
    CHECK_THROWS_AS(cpu.letters().post(parts, three, [] {}), Bug);
  });
}

TEST_CASE("cpu: a letter is posted once it is written") {
  on_cpu(1, [](Backend& cpu) {
    const std::vector<float> x = {1, 2, 3};
    const Buffer letter = cpu.allocate_mailbox(3);
    bool posted = false;
    const std::vector<ConstView> parts = {ConstView(x).first(2), {}, ConstView(x).subspan(2)};
    cpu.letters().post(parts, letter,
                       [&] { posted = std::equal(x.begin(), x.end(), letter.data()); });
    CHECK(posted);
    CHECK(cpu.letters().fetch(letter).data() == letter.data());
  });
}

}  // namespace
}  // namespace easgd::testing
