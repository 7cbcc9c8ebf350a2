#include "http/assets.h"

namespace weir::http {
namespace {

constexpr Asset kAssets[] = {{"/index.html", "text/html; charset=utf-8",
                              "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Weir</title>"
                              "<h1>Weir</h1><p>This build has no console (WEIR_CONSOLE=OFF). The API is at "
                              "<a href=\"api/v1/openapi.yaml\">api/v1</a>.</p></html>\n"}};

}  // namespace

std::span<const Asset> console_assets() { return kAssets; }

}  // namespace weir::http
