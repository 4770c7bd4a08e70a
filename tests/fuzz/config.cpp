// A configuration that was found in a file: read, checked, and written again.
#include "config/flat_table.h"
#include "config/reader.h"
#include "settings/config_check.h"
#include "settings/dump.h"
#include "settings/load.h"
#include "target.h"

namespace easgd::testing {
namespace {

/// One that is taken is written as what it was read as.
void read(std::string_view bytes) {
  std::string written;
  const bool good = accepts([&] {
    const Config config = parse_config(std::string(bytes), "a.toml", {});
    config::at_locations(config.locations, [&] { check(config); });
    written = dump_config(config);
  });
  if (good) expect(dump_config(parse_config(written, "b.toml", {})) == written, "reads back");
}

/// The same for those who need no meaning of the keys: `easgd report`.
void flatten(std::string_view bytes) {
  static const FuzzFolder folder;
  const std::string path = folder.put("config.toml", bytes);
  accepts([&path] { config::flat_table(path); });
}

const RegisteredTarget kConfig("config", {read}), kFlat("flat_table", {flatten});

}  // namespace
}  // namespace easgd::testing
