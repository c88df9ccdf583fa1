# cmake -DLIST=file with one path a line -DOUTPUT=header -P SourcesDigest.cmake
# Writes a header with the digest of the contents of all these files.
file(STRINGS "${LIST}" paths)
foreach(path IN LISTS paths)
  file(SHA256 "${path}" one)
  string(APPEND all "${one}\n")
endforeach()
string(SHA256 digest "${all}")
file(WRITE "${OUTPUT}" "#pragma once\nconstexpr const char* kSourcesDigest = \"${digest}\";\n")
