/** Headers that are longer than this are not looked into. */
const MAX_HEADER_CHARS = 4_096;
/** What the file systems of Linux and macOS take; Windows takes 255 of its 16-bit units, which are no fewer. */
const MAX_FILENAME_BYTES = 255;
/** A longer end of a name is no file type's. */
const MAX_EXTENSION_BYTES = 32;
/** RFC 2046 allows 70; nobody is refused for a few more, and the parser takes up to 252. */
const MAX_BOUNDARY_CHARS = 200;

const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;

/** The parameters of a header such as `Content-Disposition`, names in lower case; the first of a name counts. */
function parametersOf(header: string): Map<string, string> {
  const parameters = new Map<string, string>();
  if (header.length > MAX_HEADER_CHARS) return parameters;
  for (const [, name = "", inQuotes, token = ""] of header.matchAll(PARAMETER)) {
    const value = inQuotes === undefined ? token.trim() : inQuotes.replace(/\\(.)/g, "$1");
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  return parameters;
}

/** The boundary of a `multipart/mixed` body (RFC 2046 section 5.1.1); undefined when the header names none. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^\s*multipart\/mixed\s*;/i.test(contentType)) return undefined;
  const boundary = parametersOf(contentType).get("boundary");
  const isRight = boundary !== undefined && boundary.length <= MAX_BOUNDARY_CHARS && /^[ -~]*[!-~]$/.test(boundary);
  return isRight ? boundary : undefined;
}

/**
 * The text of a header whose bytes came as Latin-1: servers that send UTF-8 there, though they should not, are
 * understood.
 */
export function headerText(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: every byte is meant
  if (!/[\x80-\xff]/.test(value) || /[^\x00-\xff]/.test(value)) return value;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}

/** A media type with its parameters, fit to be sent on; `application/octet-stream` for what is none. */
export function mediaTypeOf(header: string | undefined): string {
  const isRight = header !== undefined && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;[\t -~]*)?$/.test(header);
  return isRight && header.length <= MAX_HEADER_CHARS ? header : "application/octet-stream";
}

/** The length in a `Content-Length` header; undefined when there is none. */
export function lengthOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/**
 * The file's name in a `Content-Disposition` header (RFC 6266), `filename*` first. What may stand before it as a path is
 * cut off, and so are characters that no file's name should have; undefined when nothing is left. No name is hidden, is
 * that of a device, or has more than 255 bytes.
 */
export function filenameOf(disposition: string | undefined): string | undefined {
  if (disposition === undefined) return undefined;
  const parameters = parametersOf(disposition);
  return safeName(extended(parameters.get("filename*"))) ?? safeName(parameters.get("filename"));
}

/** RFC 8187: the charset, a language, and the text, percent-encoded. */
function extended(value: string | undefined): string | undefined {
  const [, charset = "", encoded = ""] = /^([\w-]+)'[^']*'(.*)$/.exec(value ?? "") ?? [];
  const isLatin = /^iso-8859-1$/i.test(charset);
  if (!isLatin && !/^utf-8$/i.test(charset)) return undefined;
  try {
    if (!isLatin) return decodeURIComponent(encoded);
    return encoded.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  } catch {
    return undefined;
  }
}

/**
 * The devices of Windows, which are there in every folder and with every ending.
 * See https://learn.microsoft.com/windows/win32/fileio/naming-a-file
 */
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)/i;

/** Names that a system could take for a folder, a device, a hidden file or another file's stream are changed or refused. */
function safeName(name: string | undefined): string | undefined {
  const last = name?.split(/[/\\]/).at(-1) ?? "";
  // Format characters too: one of them turns the direction of the text, and "exe.png" may then read "gnp.exe".
  const clean = withoutEdges(last.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "").replace(/[<>:"|?*]/g, "_"));
  const short = shortened(DEVICE.test(clean) ? `_${clean}` : clean);
  return short === "" ? undefined : short;
}

/** Without dots and spaces at both ends: one before a name hides the file, and Windows ignores those behind it. */
function withoutEdges(name: string): string {
  return name.replace(/^[.\s]+/, "").replace(/(?<![.\s])[.\s]+$/, "");
}

/** Cut to the bytes that a name may have, between two characters and before the ending, which says how to open it. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_FILENAME_BYTES) return name;
  const dot = name.lastIndexOf(".");
  const ending = dot > 0 && Buffer.byteLength(name.slice(dot)) <= MAX_EXTENSION_BYTES ? name.slice(dot) : "";
  let bytes = Buffer.byteLength(ending);
  let begin = "";
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_FILENAME_BYTES) break;
    begin += character;
  }
  return withoutEdges(begin) + ending;
}
