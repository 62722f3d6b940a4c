/** `koa-django-session/auth`: users, passwords, login and logout as in django.contrib.auth. */
export { type AddressLimit, AddressThrottle, type AddressThrottleOptions } from './address_throttle.js';
export { type AuthenticationBackend, type Credentials, ModelBackend } from './backend.js';
export * from './hashers.js';
export { LiveSessions, type LiveSessionsOptions } from './live_sessions.js';
export {
  authenticate,
  BACKEND_SESSION_KEY,
  get_user,
  HASH_SESSION_KEY,
  login,
  logout,
  SESSION_KEY,
  update_session_auth_hash,
} from './login.js';
export { type LoginRequiredOptions, login_required, REDIRECT_FIELD_NAME } from './login_required.js';
export { authentication } from './middleware.js';
export {
  AUTH_PASSWORD_VALIDATORS,
  CommonPasswordValidator,
  MinimumLengthValidator,
  NumericPasswordValidator,
  type PasswordProblem,
  type PasswordValidator,
  UserAttributeSimilarityValidator,
  type ValidatePasswordOptions,
  validate_password,
} from './password_validation.js';
export {
  get_session_auth_fallback_hash,
  get_session_auth_hash,
  type HashOwner,
  verify_session_auth_hash,
} from './session_hash.js';
export type { AuthenticationOptions } from './state.js';
export {
  type LoginAttempt,
  LoginThrottle,
  type LoginThrottleOptions,
  type ThrottleAnswer,
} from './throttle.js';
export { THROTTLE_LIMITS, type ThrottleLimit, type ThrottleLimits } from './throttle_limits.js';
export {
  AnonymousUser,
  type BaseUser,
  type CurrentUser,
  type Register,
  type RegisteredUser,
  User,
  type UserRow,
} from './user.js';
export type { UserColumn, UserModel, UserModelSettings, UserTablePart } from './user_model.js';
export {
  type PermissionRequiredOptions,
  permission_required,
  staff_member_required,
  user_passes_test,
} from './user_passes_test.js';
export type { UserSessionsSettings } from './user_sessions/table.js';
export { type BrowserName, readUserAgent } from './user_sessions/user_agent.js';
export { type UserSession, UserSessions, type UserSessionsOptions } from './user_sessions.js';
export { normalize_username } from './username.js';
export { type NewUser, normalize_email, UserTable, type UserTableOptions } from './users.js';
