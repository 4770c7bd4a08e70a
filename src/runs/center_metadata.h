#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/run_inputs.h"
#include "settings/config.h"

namespace easgd {

/// What a saved center carries beside its tensors: what `easgd evaluate` has to know
/// ("easgd.config"); what `easgd predict` has to know besides ("easgd.data": see TrainedOn, without
/// names), in JSON; and the names of the classes, a list of JSON ("easgd.class_names"), if they
/// have names.
std::map<std::string, std::string> center_metadata(const Config& config, const Data& data);

/// The data that a network was trained on, as far as pictures of others must be like them.
struct TrainedOn {
  Shape shape;  ///< of every image of the set; without height and width if these differ
  int classes = 0;
  Normalisation normalisation = {};
  std::vector<std::string> class_names = {};  ///< none, or one each: see escaped_as_utf8()
};

TrainedOn trained_on(const Data& data);
/// What a center carries of that; nothing, if it carries none.
/// Throws: DataError, with `path`, if it cannot be understood.
std::optional<TrainedOn> trained_on(const std::map<std::string, std::string>& metadata,
                                    const std::filesystem::path& path);

}  // namespace easgd
