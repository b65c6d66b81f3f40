// Names that real files have for good reasons; those that a declaration has never get here.

function words(...lines: string[]): readonly string[] {
  return lines.join(' ').split(' ');
}

/** Options of `[DEFAULT]` that are Glance's or a library's, by whose they are. */
export const foreignOptions: Readonly<Record<string, readonly string[]>> = {
  'oslo.log': words(
    'debug log_file log_dir log_config_append log_config log_date_format watch_log_file use_syslog use_journal use_json',
    'use_stderr use_eventlog log_color syslog_log_facility log_rotate_interval log_rotate_interval_type log_rotation_type',
    'max_logfile_count max_logfile_size_mb logging_context_format_string logging_default_format_string',
    'logging_debug_format_suffix logging_exception_prefix logging_user_identity_format default_log_levels publish_errors',
    'instance_format instance_uuid_format fatal_deprecations rate_limit_interval rate_limit_burst rate_limit_except_level',
  ),
  'oslo.messaging': words(
    'transport_url control_exchange rpc_conn_pool_size conn_pool_min_size conn_pool_ttl executor_thread_pool_size',
    'rpc_response_timeout rpc_ping_enabled',
  ),
  'oslo.service': words('backdoor_port backdoor_socket graceful_shutdown_timeout log_options'),
  Glance: words(
    'bind_host bind_port workers backlog tcp_keepidle client_socket_timeout http_keepalive max_header_line',
    'pydev_worker_debug_host pydev_worker_debug_port public_endpoint allow_anonymous_access max_request_id_length',
    'enabled_backends enabled_import_methods node_staging_uri worker_self_reference_url hashing_algorithm do_secure_hash',
    'http_retries limit_param_default api_limit_max image_member_quota image_property_quota image_tag_quota',
    'image_location_quota image_size_cap user_storage_quota use_keystone_limits show_image_direct_url',
    'show_multiple_locations metadata_encryption_key digest_algorithm property_protection_file',
    'property_protection_rule_format default_publisher_id disabled_notifications delayed_delete scrub_time',
    'scrub_pool_size wakeup_time daemon restore image_cache_dir image_cache_driver image_cache_sqlite_db',
    'image_cache_max_size image_cache_stall_time',
  ),
};

/** Groups that are Glance's or a library's, by whose they are. A trailing `*` stands for any ending. */
export const foreignGroups: Readonly<Record<string, readonly string[]>> = {
  Glance: words(
    'image_format task taskflow_executor wsgi paste_deploy image_import_opts no_op import_filtering_opts',
    'inject_metadata_properties image_conversion glance_download_properties os_glance_staging_store os_glance_tasks_store',
  ),
  glance_store: words('glance_store backend_defaults glance.store.* cinder file http rbd s3 swift vmware'),
  'oslo.db': ['database'],
  'oslo.messaging': ['oslo_messaging_*'],
  'oslo.policy': ['oslo_policy'],
  'oslo.limit': ['oslo_limit'],
  'oslo.concurrency': ['oslo_concurrency'],
  'oslo.reports': ['oslo_reports'],
  'oslo.middleware': ['oslo_middleware', 'cors', 'healthcheck'],
  osprofiler: ['profiler*'],
  keystonemiddleware: ['keystone_authtoken', 'audit_middleware_notifications'],
  castellan: ['key_manager', 'barbican', 'barbican_service_user', 'vault'],
  'os-brick': ['os_brick', 'privsep*'],
};
