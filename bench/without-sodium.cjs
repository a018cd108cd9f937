// Preloaded into processes that are measured as if sodium-native were not installed.
const Module = require("node:module");

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (request === "sodium-native") throw new Error("sodium-native is left out of this measurement");
  return resolveFilename.call(this, request, ...rest);
};
