#include "fake_cuda.h"

#include <nccl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/launch.h"
#include "tests/sum_channels.h"

namespace {

// No mutex, no std::atomic::wait: either would order what a stream has done before what its owner
// does next, which a real stream does not.
void wait_a_little() {
  std::this_thread::sleep_for(std::chrono::microseconds(5));
}

std::atomic<bool> copies_held{false};

// How many devices there are, how many of them are not too old, and below what memory they have
// free: by variable for a program, which cannot call. And what is wrong between them, for tests on
// one thread.
template <class Number>
Number from_variable(const char* name, Number otherwise) {
  const char* value = std::getenv(name);
  return value ? Number(std::atoll(value)) : otherwise;
}
int devices = from_variable("EASGD_FAKE_DEVICES", 1);
const int new_devices = from_variable("EASGD_FAKE_NEW_DEVICES", 64);
const auto free_memory = from_variable<std::size_t>("EASGD_FAKE_MEMORY", 4000);
const bool is_limited = std::getenv("EASGD_FAKE_MEMORY") != nullptr;  // a piece may be that large
using Path = std::pair<int, int>;
std::set<Path> denied, spoilt, opened;
std::map<const char*, int> device_of;  // only while a path is spoilt, or memory is watched
bool watched = false;
bool sums_spoilt = false;

// Whether a thread is starting a sum, and how many calls of others that may wait for a device have
// met that: relaxed, so that they order nothing.
std::atomic<bool> sum_starts{false};
std::atomic<int> met{0};
struct AtExit {
  ~AtExit() {
    if (met == 0) return;
    std::fputs("a call that may wait for a device has met a sum that was being started\n", stderr);
    std::_Exit(70);
  }
} at_exit;
void may_wait_for_device() {
  if (sum_starts.load(std::memory_order_relaxed)) met.fetch_add(1, std::memory_order_relaxed);
}

std::atomic<int> pieces{0}, urgent{0};

// Copies that have begun. What gives memory back waits for them even where the device is broken and
// answers nothing any more; where it is not, who gives back has to have waited.
std::atomic<int> copying{0};

thread_local int current = 0;
thread_local int records_to_ruin = 0;
thread_local cudaStream_t breaks_in_sum = nullptr;
thread_local cudaStream_t fails_next = nullptr;

/// The device that has this address, or -1.
int owner_of(const void* address) {
  const auto it = device_of.upper_bound(static_cast<const char*>(address));
  return it == device_of.begin() ? -1 : std::prev(it)->second;
}

using Flag = std::shared_ptr<std::atomic<bool>>;

/// Of the thread's current device. Another thread's device of the same number is another one.
thread_local std::map<int, Flag> broken_devices;
thread_local Flag broken;

bool is_set(const Flag& flag) {
  return flag && flag->load(std::memory_order_acquire);
}

cudaError_t answer_of(const Flag& device) {
  return is_set(device) ? cudaErrorLaunchFailure : cudaSuccess;
}
cudaError_t answer() {
  return answer_of(broken);
}

// A call that CUDA refuses, or that ruins a record: of a wrong caller, which is a mistake of the
// program's.
[[noreturn]] void wrong(const char* why) {
  std::fprintf(stderr, "fake_cuda: %s\n", why);
  std::abort();
}
// What this thread records; it may neither wait for the device nor ask it anything meanwhile.
thread_local int records = 0;
void not_in_a_record(const char* call) {
  if (records > 0) wrong(call);
}

}  // namespace

/// Work that was recorded.
struct CUgraph_st {
  std::vector<std::function<void()>> work;
};
struct CUgraphExec_st : CUgraph_st {};

/// One thread that does the work of a list to which the stream's owner appends.
struct CUstream_st {
  struct Work {
    std::function<void()> run;
    std::atomic<Work*> next{nullptr};
  };

  CUstream_st() : thread([this] { live(); }) {}
  ~CUstream_st() {
    append({});
    thread.join();
    for (Work* work = first; work;) delete std::exchange(work, work->next.load());
  }

  /// What only the device's own thread may do: kernels and events.
  void launch(std::function<void()> run) {
    if (device != current) wrong("work for a stream of a device that is not the current one");
    append(std::move(run));
  }

  void append(std::function<void()> run) {
    if (recording) return recording->work.push_back(std::move(run));
    last->next.store(new Work{std::move(run)}, std::memory_order_release);
    last = last->next.load(std::memory_order_relaxed);
    ++appended;
  }

  void live() {
    std::minstd_rand random(unsigned(std::uintptr_t(this) >> 4));
    for (Work* work = first;;) {
      Work* next = nullptr;
      while (!(next = work->next.load(std::memory_order_acquire))) wait_a_little();
      work = next;
      if (!work->run) return;
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 60));
      if (!is_set(broken_device)) work->run();
      done.fetch_add(1, std::memory_order_release);
    }
  }

  const Flag broken_device = broken;
  const int device = current;
  Work* const first = new Work;  // nothing: where the list begins
  Work* last = first;
  std::uint64_t appended = 0;
  std::unique_ptr<CUgraph_st> recording;
  std::atomic<std::uint64_t> done{0};
  std::thread thread;
};

struct CUevent_st {
  const int device = current;
  std::atomic<double> time{0};  ///< seconds
  Flag recorded =
      std::make_shared<std::atomic<bool>>(true);  // one that never was is waited for by nobody
};

namespace easgd::fake_cuda {

void enqueue(cudaStream_t stream, std::function<void()> work) {
  stream->append(std::move(work));
}

void break_device(cudaStream_t stream) {
  stream->append([stream] { stream->broken_device->store(true, std::memory_order_release); });
}

void break_device_in_sum(cudaStream_t stream) {
  breaks_in_sum = stream;
}

void fail_next_wait(cudaStream_t stream) {
  fails_next = stream;
}

void watch_memory() {
  watched = true;
}

int owner_of(const void* address) {
  return ::owner_of(address);
}

void hold_copies(bool held) {
  copies_held = held;
}

void ruin_records(int count) {
  records_to_ruin = count;
}

int allocated() {
  return pieces;
}

int urgent_streams() {
  return urgent;
}

void set_devices(int count) {
  devices = count;
}

void deny_peer(int from, int to) {
  denied.insert({from, to});
}

void spoil_path(int from, int to) {
  spoilt.insert({from, to});
}

int waits_while_sums_start() {
  return met;
}

void spoil_sums() {
  sums_spoilt = true;
}

void mend() {
  sums_spoilt = watched = false;
  devices = 1;
  denied.clear(), spoilt.clear(), opened.clear(), device_of.clear();
}

}  // namespace easgd::fake_cuda

namespace easgd::kernels {
namespace {

/// A kernel is loaded when a thread launches it for the first time, which takes a while.
template <class Kernels>
void load(const Kernels& kernel) {
  thread_local std::set<std::size_t> loaded;
  if (!loaded.insert(kernel.index()).second) return;
  may_wait_for_device();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  may_wait_for_device();
}

template <class Kernels>
void launch_any(const Kernels& kernel, std::size_t count, cudaStream_t stream) {
  load(kernel);
  std::visit(
      [=](const auto& formula) {
        stream->launch([=] {
          for (std::size_t i = 0; i < count; ++i) formula(i);
        });
      },
      kernel);
}

}  // namespace

void launch(const Elementwise& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const LayerPass& kernel, std::size_t count, cudaStream_t stream) {
  launch_any(kernel, count, stream);
}

void launch(const ChannelSum& sum, const ReductionLayout& reduction, const SumsScratch& scratch,
            cudaStream_t stream) {
  load(sum);
  std::visit(
      [&](const auto& formula) {
        stream->launch([=] { easgd::testing::sum_channels(formula, reduction, scratch); });
      },
      sum);
}

int oldest_capability() {
  return 80;
}

}  // namespace easgd::kernels

cudaError_t cudaGetDeviceCount(int* count) {
  *count = devices;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  *properties = {};
  std::strcpy(properties->name, "fake");
  properties->major = device < new_devices ? 9 : 7;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  Flag& flag = broken_devices[device];
  if (!flag) flag = std::make_shared<std::atomic<bool>>(false);
  broken = flag;
  current = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = current;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t) {
  return "an error";
}

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  not_in_a_record("cudaMalloc in a record");
  may_wait_for_device();
  if (is_limited && bytes > free_memory) return cudaErrorMemoryAllocation;
  if (posix_memalign(data, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  ++pieces;
  if (!spoilt.empty() || watched) device_of[static_cast<char*>(*data)] = current;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* all) {
  *free = *all = free_memory;
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned int) {
  not_in_a_record("cudaHostAlloc in a record");
  may_wait_for_device();
  *data = std::malloc(bytes);
  ++pieces;
  if (!spoilt.empty() || watched) device_of[static_cast<char*>(*data)] = -1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* slot, int size, int device) {
  std::snprintf(slot, std::size_t(size), "0000:%02X:00.0", device);
  return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  *can = !denied.contains({device, peer});
  return cudaSuccess;
}
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int) {
  return opened.insert({current, peer}).second ? cudaSuccess : cudaErrorPeerAccessAlreadyEnabled;
}
cudaError_t cudaDeviceDisablePeerAccess(int peer) {
  return opened.erase({current, peer}) ? cudaSuccess : cudaErrorPeerAccessNotEnabled;
}
cudaError_t cudaFree(void* data) {
  not_in_a_record("cudaFree in a record");
  may_wait_for_device();
  while (is_set(broken) && copying > 0) wait_a_little();
  std::free(data);
  --pieces;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  return cudaFree(data);
}
// Nobody waits for the whole device: that would ruin what other threads record.
cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t stream) {
  if (stream == cudaStreamPerThread) {
    std::memset(data, value, bytes);
    return cudaSuccess;
  }
  stream->append([=] { std::memset(data, value, bytes); });
  return answer();
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0, *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int, int priority) {
  if (priority < 0) ++urgent;
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream == cudaStreamPerThread) return answer();
  while (cudaStreamQuery(stream) == cudaErrorNotReady) wait_a_little();
  if (stream == fails_next) {
    fails_next = nullptr;
    return cudaErrorLaunchFailure;
  }
  return cudaStreamQuery(stream);
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  not_in_a_record("a stream asked or waited for in a record");
  const bool done = stream->done.load(std::memory_order_acquire) == stream->appended;
  return done || is_set(stream->broken_device) ? answer_of(stream->broken_device)
                                               : cudaErrorNotReady;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t call, void* data) {
  stream->append([=] { call(data); });
  return answer_of(stream->broken_device);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  // A path is only bad where one device reaches into another.
  const bool spoil = !spoilt.empty() && opened.contains({owner_of(from), owner_of(to)}) &&
                     spoilt.contains({owner_of(from), owner_of(to)});
  const Flag device = stream->broken_device;
  stream->append([=] {
    while (copies_held) wait_a_little();
    copying.fetch_add(1, std::memory_order_relaxed);
    if (!is_set(device)) {
      std::memcpy(to, from, bytes);
      if (spoil) static_cast<unsigned char*>(to)[bytes - 1] ^= 0x40;
    }
    copying.fetch_sub(1, std::memory_order_release);
  });
  return answer_of(stream->broken_device);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (event->device != stream->device) wrong("an event recorded on a stream of another device");
  event->recorded = std::make_shared<std::atomic<bool>>(false);
  stream->append([event, flag = event->recorded] {
    const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
    event->time.store(now.count(), std::memory_order_relaxed);
    flag->store(true, std::memory_order_release);
  });
  return answer_of(stream->broken_device);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  if (!is_set(from->recorded) || !is_set(to->recorded)) return cudaErrorNotReady;
  *milliseconds = float(1e3 * (to->time - from->time));
  return answer();
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  stream->append([flag = event->recorded, stream] {
    while (!is_set(flag) && !is_set(stream->broken_device)) wait_a_little();
  });
  return answer();
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  not_in_a_record("an event waited for in a record");
  while (!is_set(event->recorded) && !is_set(broken)) wait_a_little();
  return answer();
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  not_in_a_record("an event asked in a record");
  return is_set(event->recorded) || is_set(broken) ? answer() : cudaErrorNotReady;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->recording = std::make_unique<CUgraph_st>();
  ++records;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  std::unique_ptr<CUgraph_st> recorded = std::move(stream->recording);
  --records;
  if (records_to_ruin > 0) {
    --records_to_ruin;
    return cudaErrorStreamCaptureInvalidated;
  }
  *graph = recorded.release();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  stream->launch([work = exec->work] {
    for (const auto& each : work) each();
  });
  return answer();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

// Sums over devices: a stream that comes to one waits there for all others.
namespace {

/// One sum.
struct Meeting {
  explicit Meeting(std::size_t ranks) : terms(ranks) {}
  std::vector<const float*> terms;
  std::atomic<std::size_t> arrived{0}, read{0};
};

struct World {
  std::size_t ranks = 0;
  std::vector<cudaStream_t> streams;
  std::atomic<bool> aborted{false};
  bool started = false;  // a sum
};

struct Call {
  ncclComm_t communicator;
  const float* term;
  float* sum;
  std::size_t count;
  cudaStream_t stream;
};
thread_local std::vector<Call> group;

}  // namespace

struct ncclComm {
  std::shared_ptr<World> world;
  std::size_t rank = 0;
};

ncclResult_t ncclCommInitAll(ncclComm_t* communicators, int count, const int*) {
  const auto world = std::make_shared<World>();
  world->ranks = std::size_t(count);
  for (int i = 0; i < count; ++i) communicators[i] = new ncclComm{world, std::size_t(i)};
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  communicator->world->aborted = true;
  delete communicator;
  return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator, ncclResult_t* state) {
  const auto& streams = communicator->world->streams;
  *state = std::ranges::any_of(streams, [](cudaStream_t s) { return is_set(s->broken_device); })
               ? ncclUnhandledCudaError
               : ncclSuccess;
  return ncclSuccess;
}
ncclResult_t ncclGroupStart() {
  group.clear();
  sum_starts.store(true, std::memory_order_relaxed);
  return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void* term, void* sum, std::size_t count, ncclDataType_t,
                           ncclRedOp_t, ncclComm_t communicator, cudaStream_t stream) {
  group.push_back(
      {communicator, static_cast<const float*>(term), static_cast<float*>(sum), count, stream});
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  const std::shared_ptr<World> world = group[0].communicator->world;
  struct Ends {
    ~Ends() { sum_starts.store(false, std::memory_order_relaxed); }
  } at_the_end;
  if (group.size() != world->ranks) return ncclInvalidUsage;  // the others would wait for ever
  const auto meeting = std::make_shared<Meeting>(world->ranks);
  world->streams.clear();
  for (const Call& call : group) {
    meeting->terms[call.communicator->rank] = call.term;
    world->streams.push_back(call.stream);
  }
  for (const Call& call : group) {
    // The first sum is long in starting, so that a run's first steps meet it.
    std::this_thread::sleep_for(std::chrono::microseconds(world->started ? 50 : 50000));
    if (call.stream == breaks_in_sum) easgd::fake_cuda::break_device(call.stream);
    const bool spoil = sums_spoilt && call.communicator->rank + 1 == world->ranks;
    call.stream->append([=] {
      const auto all = [&](std::atomic<std::size_t>& count) {
        if (world->aborted) return false;
        count.fetch_add(1, std::memory_order_acq_rel);
        while (count.load(std::memory_order_acquire) < world->ranks) {
          if (world->aborted) return false;
          wait_a_little();
        }
        return true;
      };
      if (!all(meeting->arrived)) return;
      std::vector<float> sums(call.count);
      for (const float* term : meeting->terms) {
        for (std::size_t i = 0; i < call.count; ++i) sums[i] += term[i];
      }
      if (!all(meeting->read)) return;
      if (spoil) sums.back() += 1;
      std::ranges::copy(sums, call.sum);
    });
  }
  world->started = true;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t) {
  return "an error";
}
