/** Holds the names to CONTRIBUTING's rule: a word of Django, Python, SQL or HTTP is spelled as there, ours are camelCase. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

/** Every name with an underscore that the code may use, by where it comes from. */
const THEIRS: Readonly<Record<string, string>> = {
  'Django: sessions': `clear_expired cycle_key delete_test_cookie get_expire_at_browser_close get_expiry_age get_expiry_date
    get_session_cookie_age has_key is_empty key_salt must_create session_data session_dict session_key set_expiry
    set_test_cookie test_cookie_worked expire_date`,
  'Django: signing and crypto': `allowed_chars b62_decode b62_encode b64url_decode b64url_encode constant_time_compare
    fallback_keys get_random_string salted_hmac sign_object unsign_object max_age`,
  'Django: users and logins': `app_label check_password create_user date_joined first_name get_all_permissions
    get_by_natural_key get_full_name get_group_permissions get_hasher get_session_auth_fallback_hash get_session_auth_hash
    get_short_name get_user get_user_permissions get_username harden_runtime has_module_perms has_perm has_perms
    identify_hasher is_active is_anonymous is_authenticated is_password_usable is_staff is_superuser last_login last_name
    login_required login_url make_password must_update natural_key normalize_email normalize_username old_password
    new_password1 new_password2 permission_required raise_exception redirect_field_name session_auth_hash set_password
    staff_member_required update_last_login update_session_auth_hash user_attributes user_can_authenticate user_logged_in
    user_logged_out user_login_failed user_passes_test username_field max_similarity min_length validate_password
    verbose_name verify_session_auth_hash block_size memory_cost time_cost work_factor pbkdf2_sha1 pbkdf2_sha256
    get_by_id get_by_ids`,
  'Django: requests, answers and uploads': `allowed_hosts chunk_size content_security_policy content_type_extra
    delete_cookie field_name file_name get_signed_cookie hsts_seconds http_date is_same_domain multiple_chunks parse_cookie
    parse_header_parameters patch_vary_headers require_https sanitize_file_name set_cookie set_signed_cookie
    split_domain_port temporary_file_path url_has_allowed_host_and_scheme validate_host`,
  'Django: CSRF': `check_token_format csrf_secret csrf_token does_token_match get_token mask_secret rotate_token unmask_token`,
  'Django: messages': `add_message added_new extra_tags fail_silently get_level get_messages level_tag level_tags mark_safe
    remove_oldest set_level`,
  'Django: caches, commands and its test client': `batch_size dry_run enforce_csrf_checks force_login make_key redirect_chain`,
  Python: 'total_seconds time_zone parse_qsl unquote_plus',
  'PostgreSQL and its clients': `application_name connect_timeout idle_in_transaction_session_timeout query_timeout read_only
    search_path statement_timeout target_session_attrs`,
  'tables and columns': `auth_group auth_group_permissions auth_permission auth_user description_en
    description_zh django_content_type django_migrated django_session former_id has_table is_admins last_seen
    login_attempts migration_time name_en name_zh price_cents sealed_key session_table user_agent user_id
    user_model user_sessions`,
  'HTTP and log lines': 'content_type request_id retry_after',
};

/** What the pages are made of: keys of messages, names of the lab's steps, of limits and of the templates' values. */
const PAGES = ['server/site', 'server/app'];

const root = path.join(import.meta.dirname, '..');
const known = new Set(Object.values(THEIRS).flatMap((names) => names.trim().split(/\s+/)));
const notCode = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;

const files = ['server', 'config', 'migrations'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
);

function namesOf(file: string): ReadonlySet<string> {
  const code = readFileSync(path.join(root, file), 'utf8').replace(notCode, ' ');
  return new Set(code.match(/\b[a-z][a-zA-Z0-9]*(?:_[a-zA-Z0-9]+)+\b/g));
}

describe('names', () => {
  it('have an underscore where they are Django’s, Python’s, SQL’s or HTTP’s', () => {
    const ours = files
      .filter((file) => !PAGES.some((pages) => file.startsWith(pages)))
      .flatMap((file) => [...namesOf(file)].filter((name) => !known.has(name)).map((name) => `${file}: ${name}`));
    expect(ours).to.deep.equal([]);
  });

  it('are listed no longer than they are used', () => {
    const used = new Set(files.flatMap((file) => [...namesOf(file)]));
    expect([...known].filter((name) => !used.has(name))).to.deep.equal([]);
  });
});
