// Status codes and their usual phrases.
// Owns: the table of RFC 9110 §15 (and 421, 425, 428, 429, 431, 451, 511 of their own RFCs). Does not own: when which
// is sent.
// Read first: RFC 9110 §15.

const PHRASES: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  511: 'Network Authentication Required',
}

/** The usual reason phrase of a status code; `''` for one that has none (RFC 9110 §15). */
export function reasonPhrase(status: number): string {
  return PHRASES[status] ?? ''
}

/** Whether a response of that status never has a body: 1xx, 204, 304 (RFC 9110 §6.4.1). */
export function isBodyless(status: number): boolean {
  return status < 200 || status === 204 || status === 304
}

/** Methods that ask for no effect (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return /^(?:GET|HEAD|OPTIONS|TRACE)$/.test(method)
}

/** Methods whose repetition has the same effect as one request (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return /^(?:GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/.test(method)
}
