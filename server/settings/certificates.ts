/** Checks the certificates in the URL of a service before the first connection. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { codeOf } from '../error_code.js';
import { refuseUrl } from './url_text.js';

/** The content of the files, as PEM. */
export interface Certificates {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'and there is no such file',
  ENOTDIR: 'and there is no such file',
  EACCES: 'which this process may not read',
  EPERM: 'which this process may not read',
  EISDIR: 'which is a folder',
};

/**
 * The content of a certificate's or key's file.
 *
 * @param name the setting, for the message
 * @param parameter the URL's parameter for the file
 * @throws ImproperlyConfigured if this process cannot read it
 */
export function readCertificate(name: string, parameter: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = String(codeOf(error));
    const reason = REASONS[code] ?? `which cannot be read (${code})`;
    const wrong = `${parameter} names ${JSON.stringify(file)}, ${reason}.`;
    refuseUrl(name, wrong, 'Give the path of a readable file in PEM form.');
  }
}

/**
 * @param name the setting, for the message
 * @param parameters the URL's parameters for the files
 * @throws ImproperlyConfigured if TLS cannot use them
 */
export function checkCertificates(
  name: string,
  { ca, cert, key }: Certificates,
  parameters: Readonly<Record<keyof Certificates, string>>,
): void {
  // Node ignores anything that is not a certificate, and then trusts no server.
  if (ca !== undefined && !/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(ca)) {
    refuseUrl(name, `The file of ${parameters.ca} contains no certificate.`, 'Give a file in PEM form.');
  }
  try {
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    const code = codeOf(error) === undefined ? '' : ` (${String(codeOf(error))})`;
    const names = [parameters.ca, parameters.cert, parameters.key].join(', ');
    refuseUrl(name, `The files of ${names} cannot be used${code}.`, 'Give files in PEM form that belong together.');
  }
}
