#include "runs/event_file.h"

#include <charconv>
#include <chrono>
#include <map>
#include <utility>

#include "config/writer.h"
#include "runs/protobuf.h"
#include "runs/scalars.h"
#include "runs/tf_record.h"

namespace easgd {
namespace {

using protobuf::put_bytes;
using protobuf::put_double;
using protobuf::put_float;
using protobuf::put_integer;

// Field numbers of TensorBoard's messages.
namespace event {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session_log {
constexpr int kStatus = 1;
constexpr std::uint64_t kStart = 1;
}  // namespace session_log
namespace summary {
constexpr int kValue = 1;
}
namespace value {
constexpr int kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9;
}
namespace metadata {
constexpr int kPluginData = 1, kPluginName = 1, kContent = 2;
}
namespace hparams {
constexpr int kSessionStart = 3, kSessionEnd = 4;
constexpr int kHparams = 1, kStartSeconds = 5;                     // of a start
constexpr int kMapKey = 1, kMapValue = 2;                          // of one hyper-parameter
constexpr int kNumber = 2, kText = 3, kFlag = 4;                   // of its value
constexpr int kStatus = 1, kEndSeconds = 2;                        // of an end
constexpr std::uint64_t kUnknown = 0, kSuccess = 1, kFailure = 2;  // status
}  // namespace hparams

/// Floats of shape [0]: the tensor of those values that are nothing but their metadata.
constexpr std::string_view kNoTensor("\x08\x01\x12\x02\x12\x00", 6);

double wall_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

std::string event_at(std::uint64_t step) {
  std::string message;
  put_double(message, event::kWallTime, wall_time());
  put_integer(message, event::kStep, step);
  return message;
}

/// A value as TOML has it is a number, a flag, or else a text.
std::string encoded(const std::string& key, const std::string& toml) {
  std::string of_its_kind, entry;
  double number = 0;
  const char* const end = toml.data() + toml.size();
  if (std::from_chars(toml.data(), end, number).ptr == end) {
    put_double(of_its_kind, hparams::kNumber, number);
  } else if (toml == "true" || toml == "false") {
    put_integer(of_its_kind, hparams::kFlag, toml == "true");
  } else {
    put_bytes(of_its_kind, hparams::kText, config::unquoted(toml));
  }
  put_bytes(entry, hparams::kMapKey, key);
  put_bytes(entry, hparams::kMapValue, of_its_kind);
  return entry;
}

std::uint64_t outcome(RunStatus status) {
  switch (status) {
    case RunStatus::done:
      return hparams::kSuccess;
    case RunStatus::diverged:
    case RunStatus::failed:
      return hparams::kFailure;
    case RunStatus::interrupted:
    case RunStatus::paused:
      break;
  }
  return hparams::kUnknown;
}

/// Names and places are no hyper-parameters; layers are too many to compare.
std::map<std::string, std::string> hyper_parameters(Config config) {
  auto all = config::to_flat([&](config::Fields& f) { config.fields(f); });
  std::erase_if(all, [](const auto& parameter) {
    const std::string& key = parameter.first;
    return key == "name" || key == "data.dir" || key.find('[') != key.npos;
  });
  return all;
}

}  // namespace

EventFile::EventFile(RunFolder& folder, const Config& config)
    : folder_(folder),
      config_(config),
      seconds_(config.center.order == OrderKind::virtual_time ? "center/virtual_seconds"
                                                              : "center/seconds") {}

void EventFile::begin(std::uint64_t step) {
  {
    const std::lock_guard lock(mutex_);
    file_ = folder_.begin_event_file();
  }
  std::string version, start, status, session;
  put_double(version, event::kWallTime, wall_time());
  put_bytes(version, event::kFileVersion, "brain.Event:2");
  put(version);
  put_integer(status, session_log::kStatus, session_log::kStart);
  start = event_at(step);
  put_bytes(start, event::kSessionLog, status);
  put(start);
  for (const auto& [key, value] : hyper_parameters(config_)) {
    put_bytes(session, hparams::kHparams, encoded(key, value));
  }
  put_double(session, hparams::kStartSeconds, wall_time());
  std::string data;
  put_bytes(data, hparams::kSessionStart, session);
  put_hparams("_hparams_/session_start_info", data);
}

void EventFile::log(const Event& it) {
  const Scalars scalars = scalars_of(it, seconds_);
  if (scalars.values.empty()) return;
  std::string values, message = event_at(scalars.step);
  for (const Scalar& scalar : scalars.values) {
    std::string one;
    put_bytes(one, value::kTag, scalar.tag);
    put_float(one, value::kSimpleValue, float(scalar.value));
    put_bytes(values, summary::kValue, one);
  }
  put_bytes(message, event::kSummary, values);
  put(message);
}

void EventFile::end(RunStatus status) {
  std::string session, data;
  put_integer(session, hparams::kStatus, outcome(status));
  put_double(session, hparams::kEndSeconds, wall_time());
  put_bytes(data, hparams::kSessionEnd, session);
  put_hparams("_hparams_/session_end_info", data);
}

void EventFile::put_hparams(const char* tag, std::string_view data) {
  std::string plugin, meta, one, values, message = event_at(0);
  put_bytes(plugin, metadata::kPluginName, "hparams");
  put_bytes(plugin, metadata::kContent, data);
  put_bytes(meta, metadata::kPluginData, plugin);
  put_bytes(one, value::kTag, tag);
  put_bytes(one, value::kTensor, kNoTensor);
  put_bytes(one, value::kMetadata, meta);
  put_bytes(values, summary::kValue, one);
  put_bytes(message, event::kSummary, values);
  put(message);
}

void EventFile::put(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (!file_.is_open()) return;
  const std::string complaint = file_.append(tf_record(message));
  if (complaint.empty()) return failures_.end();
  if (failures_.add()) folder_.on_warning(complaint + "; the run goes on");
}

}  // namespace easgd
