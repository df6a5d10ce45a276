# SPDX-License-Identifier: AGPL-3.0-or-later
# Run once in a new Redmine by bin/rails runner: REST, two accounts with the given API keys, one project, three issues.
Setting.rest_api_enabled = "1"

def open_account(login, key, admin:)
  user = User.find_by_login(login) || User.new
  user.login = login
  user.update!(firstname: login, lastname: "Test", mail: "#{login}@example.org", language: "en",
               admin: admin, must_change_passwd: false, password: "test-only-#{login}")
  Token.where(user_id: user.id, action: "api").delete_all
  Token.create!(user: user, action: "api").update_column(:value, key)
  user
end

admin = open_account("admin", ENV.fetch("ADMIN_KEY"), admin: true)
desk = open_account("helproom", ENV.fetch("DESK_KEY"), admin: false)
User.current = admin

project = Project.create!(name: "Tails", identifier: "tails", is_public: true,
                          enabled_module_names: %w[issue_tracking], trackers: Tracker.all.to_a)
reporter = Role.find_by!(name: "Reporter")
reporter.add_permission!(:view_issues, :add_issues, :add_issue_notes, :view_private_notes, :set_notes_private)
Member.create!(project: project, principal: desk, roles: [reporter])
next_release = Version.create!(project: project, name: "Tails_7.1")

{
  "Wi-Fi does not work on Broadcom" => next_release,
  "Tor Browser crashes at start" => next_release,
  "Persistent Storage is not offered" => nil,
}.each do |subject, version|
  Issue.create!(project: project, tracker: Tracker.find_by!(name: "Bug"), subject: subject, author: admin,
                status: IssueStatus.find_by!(name: "New"), priority: IssuePriority.default || IssuePriority.first,
                fixed_version: version, description: "About: #{subject}")
end
