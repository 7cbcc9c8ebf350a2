// Text that is known to need no cleaning and no escapes: an address, a port, a word of ours. Never from
// traffic, processes or the configuration.
#pragma once

#include <string_view>

namespace weir {

struct PlainText {
    std::string_view text;
};

}  // namespace weir
