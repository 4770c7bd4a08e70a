// Pictures of one's own in folders, a folder a class: JPEG and PNG.
//
// The folder that data.dir names has train/CLASS/... and val/CLASS/...; or, with data.holdout, it
// has CLASS/... itself, and tests are made with a share of the pictures.
#include <fmt/format.h>

#include "data/dataset_reader.h"
#include "data/location.h"
#include "pictures/folder_set.h"

namespace easgd {
namespace {

constexpr const char* kName = "image_folder";

class ImageFolder final : public DatasetReader {
 public:
  std::string name() const override { return kName; }

  void fields(config::Fields& f) override {
    f.number("holdout", holdout_, {0, 0.9},
             "share of the pictures that is kept for tests, if there are no train/ and val/");
  }

  std::optional<DatasetFiles> files() const override { return wanted(); }

  std::string listing(const std::string& dir) const override {
    return fmt::format("names {:016x}", hash_of_names(find_folder(kName, wanted(), dir)));
  }

  DataSplit read(const DatasetOptions& options) const override {
    const std::filesystem::path folder = find_folder(kName, wanted(), options.dir);
    PictureFolder found = find_pictures(folder, holdout_);
    const std::vector<std::string> names = found.train.classes;
    return {make_folder_set(std::move(found.train), options.on_bad_image),
            make_folder_set(std::move(found.test), options.on_bad_image), folder.string(), names};
  }

 private:
  /// Any folder may have classes of its own.
  DatasetFiles wanted() const {
    return {.folders = {}, .files = {}, .train = holdout_ > 0 ? "." : "train"};
  }

  double holdout_ = 0;
};

const RegisteredDataset kRegistered([] { return std::make_unique<ImageFolder>(); });

}  // namespace
}  // namespace easgd
