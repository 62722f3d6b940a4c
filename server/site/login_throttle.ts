/** What the login page asks of whoever counts failed attempts. */

export interface LoginAttempt {
  readonly username: string;
  /** The client's address, after the trusted proxies. */
  readonly address: string;
}

export interface LoginThrottle {
  /**
   * Ask before checking a password; counts the attempt.
   * @returns 0 when it may go on, otherwise the seconds to wait
   */
  begin(attempt: LoginAttempt): Promise<number>;
  /** The password was right: what was counted for the account is forgotten. */
  succeeded(attempt: LoginAttempt): Promise<void>;
}
