#include "runs/center_metadata.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"
#include "settings/dump.h"

namespace easgd {
namespace {

using Json = nlohmann::json;

constexpr const char* kData = "easgd.data";
constexpr const char* kNames = "easgd.class_names";

TrainedOn read(const Json& data, const Json& names) {
  TrainedOn found{.shape = {data.at("shape").at(0), data.at("shape").at(1), data.at("shape").at(2)},
                  .classes = data.at("classes"),
                  .normalisation = {data.at("mean"), data.at("deviation")},
                  .class_names = names};
  const auto& [channels, height, width] = found.shape;
  const bool fits =
      channels > 0 && height >= 0 && width >= 0 && (height > 0) == (width > 0) &&
      found.classes > 0 &&
      (found.class_names.empty() || found.class_names.size() == std::size_t(found.classes));
  if (!fits) throw DataError("its numbers do not fit each other");
  return found;
}

}  // namespace

TrainedOn trained_on(const Data& data) {
  TrainedOn on{data.split.train->shape(), data.split.train->classes(), data.normalisation, {}};
  for (const std::string& name : data.split.class_names)
    on.class_names.push_back(escaped_as_utf8(name));
  return on;
}

std::map<std::string, std::string> center_metadata(const Config& config, const Data& data) {
  const TrainedOn on = trained_on(data);
  std::map<std::string, std::string> metadata = {
      {"easgd.config", dump_evaluation_config(config)},
      {kData, Json({{"shape", {on.shape.channels, on.shape.height, on.shape.width}},
                    {"classes", on.classes},
                    {"mean", on.normalisation.mean},
                    {"deviation", on.normalisation.deviation}})
                  .dump()}};
  if (!on.class_names.empty()) metadata[kNames] = Json(on.class_names).dump();
  return metadata;
}

std::optional<TrainedOn> trained_on(const std::map<std::string, std::string>& metadata,
                                    const std::filesystem::path& path) {
  const auto data = metadata.find(kData), names = metadata.find(kNames);
  if (data == metadata.end()) return std::nullopt;
  try {
    return read(Json::parse(data->second),
                names == metadata.end() ? Json::array() : Json::parse(names->second));
  } catch (const std::exception& e) {
    throw DataError(fmt::format("{}: what it says of its data ({}) cannot be understood: {}",
                                path.string(), kData, e.what()));
  }
}

}  // namespace easgd
