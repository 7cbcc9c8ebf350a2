// Configurations for instances that must not get into each other's way, nor into that of a plugin in use.
#pragma once

#include <string>
#include <vector>

#include "weir_abi.h"

namespace weir::check {

class ConfigSource {
public:
    // `file` is a configuration in which each @DIR@ stands for a directory of the instance's own. Without one
    // it is the plugin's sample, and what the schema calls ...path, ...listen and interval is set through the
    // environment: to a directory under `directory`, to a free port on loopback, and to the least it may be.
    // Loopback traffic is asked for where there is such a key, because the kit makes some.
    ConfigSource(const weir_plugin_v1& plugin, const std::string& file, std::string directory);

    // The text, and the environment set for it; to be called right before create().
    std::string make(int number) const;

private:
    struct Override {
        std::string variable;
        std::string value;  // may hold @DIR@
    };
    void read_schema(const weir_plugin_v1& plugin);
    std::string filled(std::string text, int number) const;

    std::string directory_;
    std::string text_;
    std::vector<Override> overrides_;
};

}  // namespace weir::check
