// A set of pictures that lie in folders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "data/dataset_reader.h"
#include "pictures/picture_folder.h"

namespace easgd {

/// They are read when they are asked for.
std::unique_ptr<Dataset> make_folder_set(PictureList list, OnBadImage on_bad);

/// All bytes of a file that is to be a picture, in `memory`.
/// Throws: DataError, without its name, if it cannot be read, or is no file; a Vanished if it is
/// not there, or must not be read; an UnreadableNow if that says nothing of the file.
std::span<const std::uint8_t> read_picture(const std::filesystem::path& path,
                                           std::vector<std::uint8_t>& memory);

}  // namespace easgd
