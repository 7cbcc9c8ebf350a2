# Writes a C++ file that holds a text: cmake -DINPUT=... -DOUTPUT=... -P embed_text.cmake
file(READ ${INPUT} text)
if(text MATCHES "\\)openapi\"")
  message(FATAL_ERROR "${INPUT} holds the end of its own literal")
endif()
file(WRITE ${OUTPUT} "// Generated from openapi.yaml.
#include \"http/api_description.h\"

namespace weir::http {

std::string_view api_description() {
    return R\"openapi(${text})openapi\";
}

}  // namespace weir::http
")
